"""A thread that reads the users of projects after the start, before a segment is queried."""

import threading

import structlog

from uptake.model import cancellation
from uptake.model.cancellation import Cancellation, Cancelled
from uptake.reading.segments.queries import Segments
from uptake.store.base import StoreUnavailable
from uptake.store.project_ports import Projects

ALL_PROJECTS = "all"
"""In place of names: all projects."""

_log = structlog.get_logger()


class WarmUp:
    """Reads users into memory, once for each project.

    Args:
        store: where the names of projects are read.
        segments: what is warmed.
        projects: names, separated by commas; `ALL_PROJECTS`; or "" for none.
    """

    def __init__(self, store: Projects, segments: Segments, projects: str) -> None:
        self._store = store
        self._segments = segments
        self._projects = [name for name in map(str.strip, projects.split(",")) if name]
        self._work = Cancellation()
        self._thread = threading.Thread(target=self._run, name="segment-warm", daemon=True)

    def start(self) -> None:
        """Start, if there are projects."""
        if self._projects:
            self._thread.start()

    def close(self) -> None:
        """Stop, in the middle of a project if need be."""
        self._work.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            with cancellation.cancellable(self._work):
                every = self._projects == [ALL_PROJECTS]
                for project in self._store.projects() if every else self._projects:
                    self._segments.warm(project)
        except Cancelled:
            pass
        except StoreUnavailable as error:
            _log.warning("segments not warmed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - queries read the users themselves
            _log.error("segments not warmed", exc_info=error)

"""Follows what operators switch for all nodes: maintenance mode, and required registration."""

import threading
from typing import Protocol

import structlog

from uptake.store.base import StoreUnavailable
from uptake.store.operator_ports import MaintenanceMode, Registration

LOOK_SECONDS = 1.0
"""Interval at which a process reads the modes: an operator waits about so long for all nodes."""

RETRY_SECONDS = 30
"""How long a client waits before it sends an upload again. Maintenance takes minutes."""

CLOSE_SECONDS = 1.0
"""How long a process that stops waits for a read that has begun."""

_log = structlog.get_logger()


class ModeStore(MaintenanceMode, Registration, Protocol):
    """The ports that have the modes."""


class Modes:
    """The modes, and a thread that reads them, so that no request does.

    While the store cannot be reached, they do not change.

    Args:
        store: has the modes.

    Attributes:
        maintenance: whether uploads are paused.
        registering: the projects that require the registration of users.
    """

    def __init__(self, store: ModeStore) -> None:
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modes", daemon=True)
        self.maintenance = False
        self.registering: frozenset[str] = frozenset()

    def start(self) -> None:
        """Start to follow the modes."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        self._look()
        while not self._stop.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            self.maintenance = self._store.maintenance_since() is not None
            self.registering = frozenset(self._store.registering_projects())
        except StoreUnavailable:
            return
        except Exception as error:  # noqa: BLE001 - the thread must not end
            if not self._stop.is_set():
                _log.error("modes not read", exc_info=error)

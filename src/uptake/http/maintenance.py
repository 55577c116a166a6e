"""Follows maintenance mode, which an operator turns on for all nodes."""

import threading

import structlog

from uptake.store.base import StoreUnavailable
from uptake.store.operator_ports import MaintenanceMode

LOOK_SECONDS = 1.0
"""Interval at which a process reads the mode: an operator waits about so long for all nodes."""

RETRY_SECONDS = 30
"""How long a client waits before it sends an upload again. Maintenance takes minutes."""

CLOSE_SECONDS = 1.0
"""How long a process that stops waits for a read that has begun."""

_log = structlog.get_logger()


class MaintenanceWatch:
    """A thread that reads the mode, so that no request does.

    While the store cannot be reached, the mode does not change.

    Args:
        store: has the mode.

    Attributes:
        is_on: whether uploads are paused.
    """

    def __init__(self, store: MaintenanceMode) -> None:
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)
        self.is_on = False

    def start(self) -> None:
        """Start to follow the mode."""
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
            self.is_on = self._store.maintenance_since() is not None
        except StoreUnavailable:
            return
        except Exception as error:  # noqa: BLE001 - the thread must not end
            if not self._stop.is_set():
                _log.error("maintenance mode not read", exc_info=error)

"""Stopping work that nobody waits for any more, or that takes too long.

Whoever runs work in a thread makes a `Cancellation` and runs it under `cancellable`. Long loops
call `check`; the store registers how to interrupt the statement that it runs. Work that is not run
under one, such as a command's, is never cancelled.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancelled(Exception):
    """The work was stopped.

    Attributes:
        expired: because its time was over; else because its client has gone.
    """

    def __init__(self, *, expired: bool) -> None:
        super().__init__("the time is over" if expired else "the client has gone")
        self.expired = expired


class Cancellation:
    """Whether a piece of work is to stop."""

    def __init__(self) -> None:
        self._reason: Cancelled | None = None
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop."""
        return self._reason is not None

    def cancel(self, *, expired: bool = False) -> None:
        """Have the work stop at its next check, and its statement at once; does not wait."""
        if self._reason is None:
            self._reason = Cancelled(expired=expired)
            # To interrupt a statement takes a connection of its own with some databases.
            threading.Thread(target=self._interrupt, name="cancel", daemon=True).start()

    def check(self) -> None:
        """Go on unless it is to stop.

        Raises:
            Cancelled: it is.
        """
        if self._reason is not None:
            raise Cancelled(expired=self._reason.expired)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `interrupt` is what stops it; never afterwards.

        Raises:
            Cancelled: the work is to stop already, or was stopped in the block.
        """
        with self._lock:
            self.check()
            self._interrupts.append(interrupt)
        try:
            yield
        except Exception as error:
            if self._reason is not None:
                raise Cancelled(expired=self._reason.expired) from error
            raise
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)

    def _interrupt(self) -> None:
        with self._lock:
            for interrupt in self._interrupts:
                interrupt()


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def cancellable(cancellation: Cancellation) -> Iterator[None]:
    """What this thread does in the block can be cancelled."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Cancellation | None:
    """The cancellation of the work that this thread does, if it has one."""
    return _current.get()


def check() -> None:
    """Go on unless the work that this thread does is to stop; for loops that may take long.

    Raises:
        Cancelled: it is to stop.
    """
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.check()

"""Cancels work in threads, after its client disconnected or its time is over.

The caller runs work under `cancellable` with a `Cancellation`. Long loops call `check`, and the
store registers how to interrupt its statement. Work without a `Cancellation` is never cancelled.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancelled(Exception):
    """The work was cancelled.

    Attributes:
        expired: because its time is over; else because its client disconnected.
    """

    def __init__(self, *, expired: bool) -> None:
        super().__init__("the time is over" if expired else "the client disconnected")
        self.expired = expired


class Cancellation:
    """A request to cancel a piece of work."""

    def __init__(self) -> None:
        self._reason: Cancelled | None = None
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._reason is not None

    def cancel(self, *, expired: bool = False) -> None:
        """Cancel the work at its next `check`, and its statement at once; does not wait."""
        if self._reason is None:
            self._reason = Cancelled(expired=expired)
            # With some databases, interrupting a statement takes a new connection.
            threading.Thread(target=self._interrupt, name="cancel", daemon=True).start()

    def check(self) -> None:
        """Raise if the work is cancelled.

        Raises:
            Cancelled: it is.
        """
        if self._reason is not None:
            raise Cancelled(expired=self._reason.expired)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` if the work is cancelled while the block runs; never afterwards.

        Raises:
            Cancelled: the work was cancelled before or in the block.
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
    """Make the work of this thread in the block cancellable."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Cancellation | None:
    """The cancellation of this thread's work, if it has one."""
    return _current.get()


def check() -> None:
    """Raise if the work of this thread is cancelled; for loops that may take long.

    Raises:
        Cancelled: it is.
    """
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.check()

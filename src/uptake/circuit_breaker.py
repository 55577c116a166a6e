"""Fails calls to a service at once while it is out of reach, instead of having each one wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

SLOW_SECONDS = 1.0
"""A failure after more than this is slow: it has blocked a caller and its thread."""

OPEN_SECONDS = 1.0
"""How long the circuit stays open after a slow failure: what clients are asked to wait."""


class CircuitBreaker:
    """Closed while calls succeed. After a failure one call at a time is a trial; others fail.

    After a slow failure there is no trial for `OPEN_SECONDS`. A trial that succeeds closes the
    circuit.

    Args:
        failure: the exception that counts as a failure, and that rejected calls raise with the
            message of the last one.
        ignore_fast: whether a failure within `SLOW_SECONDS` leaves the circuit closed, for a
            service that may reject some calls while it accepts others.
    """

    def __init__(self, failure: type[Exception], *, ignore_fast: bool = False) -> None:
        self._failure = failure
        self._ignore_fast = ignore_fast
        self._closed = True
        self._reason = ""
        self._open_until = 0.0
        self._trial = threading.Lock()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run the block as one call of the service.

        Raises:
            Exception: the `failure` of the circuit breaker, if the circuit is open.
        """
        is_trial = not self._closed
        began = monotonic()
        if is_trial and (began < self._open_until or not self._trial.acquire(blocking=False)):
            raise self._failure(self._reason)
        try:
            yield
        except self._failure as error:
            ended = monotonic()
            slow = ended - began > SLOW_SECONDS
            self._closed = self._ignore_fast and not slow
            self._reason = str(error)
            if slow:
                self._open_until = ended + OPEN_SECONDS
            raise
        else:
            self._closed = True
        finally:
            if is_trial:
                self._trial.release()

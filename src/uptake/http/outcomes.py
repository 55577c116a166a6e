"""What the committing thread says, brought to the event loop.

All that a group tells comes over together, and one timer watches over all that wait: for each by
itself, both would take a small request a twentieth of its time.
"""

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from uptake.intake.commit import Outcome

WATCH_SECONDS = 0.5
"""How often it is looked for what has waited too long."""

Waiter = asyncio.Future[Outcome]


class Outcomes:
    """Awaits submissions, on one event loop.

    Args:
        seconds: how long one may take; what has not begun by then never will.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[Waiter, tuple[float, Future[Outcome]]] = {}
        self._said: deque[tuple[Waiter, Future[Outcome]]] = deque()
        self._called = False
        self._watching = False

    async def of(self, submitted: Future[Outcome]) -> Outcome:
        """What stands once a submission is durable; what its future raises is raised.

        Raises:
            TimeoutError: it took too long.
        """
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self._waiting[waiter] = loop.time() + self._seconds, submitted
        if not self._watching:
            self._watching = True
            loop.call_later(WATCH_SECONDS, self._watch, loop)
        submitted.add_done_callback(partial(self._say, loop, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            submitted.cancel()
            raise
        finally:
            del self._waiting[waiter]

    def _say(
        self, loop: asyncio.AbstractEventLoop, waiter: Waiter, submitted: Future[Outcome]
    ) -> None:
        """Called by the thread that commits."""
        self._said.append((waiter, submitted))
        # Asked for once, until `_hear` begins: it takes all that was appended before.
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop has ended, and with it those who waited
                loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        self._called = False
        while self._said:
            waiter, submitted = self._said.popleft()
            if waiter.done():
                continue
            error = submitted.exception()
            if error is None:
                waiter.set_result(submitted.result())
            else:
                waiter.set_exception(error)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for waiter, (latest, submitted) in list(self._waiting.items()):
            if latest > now:
                break
            submitted.cancel()
            if not waiter.done():
                waiter.set_exception(TimeoutError())
        self._watching = bool(self._waiting)
        if self._watching:
            loop.call_later(WATCH_SECONDS, self._watch, loop)

"""Threads for work that would hold up the event loop: each kind has its own, and all are bounded.

Work waits on the event loop for a free thread. So what waits can be counted, has a deadline by
which it starts, and is dropped when its client goes away; a thread only ever gets what it starts at
once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from litestar.types import Receive
from prometheus_client import Counter, Gauge

from uptake.http.limits import ClientGone
from uptake.intake.schemas import WORKERS
from uptake.model.cancellation import Cancellation, cancellable
from uptake.model.problems import Kinds, Problem
from uptake.settings import AnswerLimits

RUNNING = Gauge(
    "uptake_work_running",
    "Pieces of work that a thread does now",
    ["executor"],
    multiprocess_mode="livesum",
)
WAITING = Gauge(
    "uptake_work_waiting",
    "Pieces of work that wait for a thread now",
    ["executor"],
    multiprocess_mode="livesum",
)
STOPPED = Counter(
    "uptake_work_stopped",
    "Pieces of work that were not done, by reason: refused, gone (the client), expired",
    ["executor", "reason"],
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much work of a kind there may be.

    Attributes:
        threads: how much is done at a time.
        queue: how much waits for a thread at most; what comes beyond is rejected with 503.
        start_seconds: how long it may wait; then it is rejected too.
        run_seconds: after how long it is told to stop; None for what has a bound of its own.
    """

    threads: int
    queue: int
    start_seconds: float
    run_seconds: float | None = None


class Shares:
    """How much work one key may have at a time, so that it leaves threads to the others.

    Args:
        running: pieces of work that are done at a time.
        waiting: pieces of work that may wait for those; what comes beyond is rejected with 429.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._running, self._waiting = running, waiting
        self._shares: dict[str, _Share] = {}

    @asynccontextmanager
    async def of(self, key_id: str) -> AsyncIterator[None]:
        """Hold a share of this key's while the block runs.

        Raises:
            Problem: `RATE_LIMITED`.
        """
        share = self._shares.setdefault(key_id, _Share(asyncio.Semaphore(self._running)))
        if share.users >= self._running + self._waiting:
            message = f"This key has {share.users} slow requests running or waiting"
            raise Problem(Kinds.RATE_LIMITED, f"{message}: wait for their answers")
        share.users += 1
        try:
            async with share.free:
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[key_id]


@dataclass(slots=True)
class _Share:
    free: asyncio.Semaphore
    users: int = 0


@dataclass(slots=True)
class _Job:
    """A piece of work, and how far it has come."""

    work: Callable[[], Any]
    key_id: str | None
    cancellation: Cancellation = field(default_factory=Cancellation)
    begun: bool = False

    def __call__(self) -> Any:
        with cancellable(self.cancellation):
            return self.work()


class BoundedExecutor:
    """Threads with a bounded queue before them.

    Args:
        name: of the threads, and in metrics.
        bounds: see `Bounds`.
        shares: how much of it one key may have; None for all.
    """

    def __init__(self, name: str, bounds: Bounds, shares: Shares | None = None) -> None:
        self._bounds = bounds
        self._shares = shares
        self._threads = ThreadPoolExecutor(bounds.threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(bounds.threads)
        self._queued = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._running, self._waiting = RUNNING.labels(name), WAITING.labels(name)
        self._rejected, self._gone, self._expired = (
            STOPPED.labels(name, reason) for reason in ("refused", "gone", "expired")
        )

    async def run(
        self,
        work: Callable[[], Result],
        receive: Receive | None = None,
        *,
        key_id: str | None = None,
        finish: bool = False,
    ) -> Result:
        """Have work done by a thread; what it raises is raised.

        Args:
            work: what is to be done.
            receive: of the request whose body has been read: when its client goes away the work is
                dropped, or told to stop.
            key_id: for whom, where keys have shares.
            finish: do it to its end once it has begun, however long it takes.

        Raises:
            Problem: `OVERLOADED`, or `RATE_LIMITED` where the key has its share.
            ClientGone: there is nobody left to answer.
        """
        job = _Job(work, key_id)
        doing: Coroutine[Any, Any, Result] = self._do(job, finish=finish)
        if receive is None:
            return await doing
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and not (finish and job.begun):
                self._gone.inc()
                raise ClientGone
            return await asyncio.shield(task)
        finally:
            gone.cancel()
            if not (finish and job.begun):
                task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, as nobody else may

    async def _do(self, job: _Job, *, finish: bool) -> Any:
        async with AsyncExitStack() as held:
            await self._begin(job, held)
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, job)
            end = self._bounds.run_seconds
            timer = None
            if end is not None and not finish:
                timer = loop.call_later(end, self._expire, job)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                if not finish:
                    job.cancellation.cancel()
                # The thread is not free before it has stopped.
                await asyncio.wait([running])
                with suppress(Exception):
                    running.result()
                raise
            finally:
                if timer is not None:
                    timer.cancel()

    async def _begin(self, job: _Job, held: AsyncExitStack) -> None:
        """Wait for a thread, and hold it."""
        shares = self._shares
        of_key = shares.of(job.key_id) if shares and job.key_id else nullcontext()
        try:
            async with asyncio.timeout(self._bounds.start_seconds):
                await held.enter_async_context(of_key)
                await held.enter_async_context(self._thread())
        except TimeoutError:
            self._rejected.inc()
            raise Problem(Kinds.OVERLOADED) from None
        except Problem:
            self._rejected.inc()
            raise
        job.begun = True

    @asynccontextmanager
    async def _thread(self) -> AsyncIterator[None]:
        if self._free.locked():
            if self._queued >= self._bounds.queue:
                raise Problem(Kinds.OVERLOADED)
            self._queued += 1
            self._waiting.inc()
            try:
                await self._free.acquire()
            finally:
                self._queued -= 1
                self._waiting.dec()
        else:
            await self._free.acquire()
        self._running.inc()
        try:
            yield
        finally:
            self._running.dec()
            self._free.release()

    def _expire(self, job: _Job) -> None:
        self._expired.inc()
        job.cancellation.cancel(expired=True)


async def unless_gone(future: asyncio.Future[Result], receive: Receive) -> Result:
    """What a future brings; it is cancelled when the client goes away.

    Raises:
        ClientGone: there is nobody left to answer.
    """
    gone: asyncio.Future[Any] = asyncio.create_task(_gone(receive))
    waited: list[asyncio.Future[Any]] = [future, gone]
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise ClientGone
        return future.result()
    finally:
        gone.cancel()
        future.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(frozen=True, slots=True)
class Executors:
    """The threads of a process that serves; none waits for another's work.

    Attributes:
        authentication: looks up keys and counts their uses.
        health: asks the store whether it is there.
        uploads: judges large bodies, and waits for blobs.
        schemas: waits for the processes that check documents which may take long; shared out among
            keys.
        blobs: reads the bytes of images.
        reads: answers what takes milliseconds.
        slow: answers what may take seconds; shared out among keys.
        exports: makes the parts of exports, each of which holds a snapshot from first to last.
    """

    authentication: BoundedExecutor
    health: BoundedExecutor
    uploads: BoundedExecutor
    schemas: BoundedExecutor
    blobs: BoundedExecutor
    reads: BoundedExecutor
    slow: BoundedExecutor
    exports: BoundedExecutor


AUTHENTICATION = Bounds(threads=2, queue=1000, start_seconds=10)
"""A look-up takes a millisecond at most, and each key takes one a second."""

HEALTH = Bounds(threads=1, queue=100, start_seconds=5)

UPLOAD_QUEUE = 500
UPLOAD_START_SECONDS = 20.0
"""Uploads hold their bodies while they wait, of which there is a bound in bytes too."""

SCHEMA_SHARES = WORKERS - 1
"""Processes that one key may have at a time."""

READ_THREADS = 3
SLOW_THREADS = 4
"""More than one key may have, so that there is always a thread for another."""

READ_QUEUE = 200
SLOW_QUEUE = 32
START_SECONDS = 20.0
"""How long a read may wait for a thread: clients commonly wait for 30 seconds."""

SLOW_WAITING_PER_KEY = 16
"""Slow requests of one key that wait for its others: a page of charts asks for several at once."""

EXPORTS_AT_ONCE = 2
"""Exports a process makes at a time: each holds a connection to the database and up to 200 MB."""


def executors(limits: AnswerLimits, blobs: int) -> Executors:
    """The threads of a process.

    Args:
        limits: of answers.
        blobs: threads for what waits for the blob store, one for each call at a time.
    """
    shares = Shares(limits.slow_per_key, SLOW_WAITING_PER_KEY)
    reads = Bounds(READ_THREADS, READ_QUEUE, START_SECONDS, limits.seconds)
    slow = Bounds(
        max(SLOW_THREADS, limits.slow_per_key + 1), SLOW_QUEUE, START_SECONDS, limits.seconds
    )
    return Executors(
        BoundedExecutor("authentication", AUTHENTICATION),
        BoundedExecutor("health", HEALTH),
        BoundedExecutor("uploads", Bounds(blobs, UPLOAD_QUEUE, UPLOAD_START_SECONDS)),
        BoundedExecutor(
            "schemas",
            Bounds(WORKERS, UPLOAD_QUEUE, UPLOAD_START_SECONDS),
            Shares(SCHEMA_SHARES, UPLOAD_QUEUE // 2),
        ),
        BoundedExecutor("blobs", Bounds(blobs, READ_QUEUE, START_SECONDS)),
        BoundedExecutor("reads", reads),
        BoundedExecutor("slow", slow, shares),
        BoundedExecutor("exports", Bounds(EXPORTS_AT_ONCE, 2 * EXPORTS_AT_ONCE, START_SECONDS)),
    )

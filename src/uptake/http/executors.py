"""Bounded thread pools for work that would block the event loop, one for each kind of work.

Work waits on the event loop for a free thread. Waiting work is therefore counted, has a deadline by
which it starts, and is dropped when its client disconnects.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from litestar.types import Receive
from prometheus_client import Counter, Gauge

from uptake.http.limits import ClientGone, disconnected
from uptake.intake.schemas import WORKERS
from uptake.model.cancellation import Cancellation, cancellable
from uptake.model.problems import Kinds, Problem
from uptake.settings import AnswerLimits

RUNNING = Gauge("uptake_work_running", "Running tasks", ["executor"], multiprocess_mode="livesum")
WAITING = Gauge(
    "uptake_work_waiting", "Tasks waiting for a thread", ["executor"], multiprocess_mode="livesum"
)
STOPPED = Counter(
    "uptake_work_stopped",
    "Tasks not completed; reason: rejected (label `refused`), gone (client disconnected), expired",
    ["executor", "reason"],
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of an executor.

    Attributes:
        threads: tasks that run at a time.
        queue: tasks that may wait for a thread; further tasks are rejected with 503.
        start_seconds: how long a task may wait; then it is rejected too.
        run_seconds: time limit, after which a task is cancelled; None if it has its own limit.
    """

    threads: int
    queue: int
    start_seconds: float
    run_seconds: float | None = None


class Shares:
    """Limits of each API key, so that one key cannot use all threads.

    Args:
        running: tasks of a key that run at a time.
        waiting: tasks of a key that may wait; further tasks are rejected with 429.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._running, self._waiting = running, waiting
        self._shares: dict[str, _Share] = {}

    @asynccontextmanager
    async def of(self, key_id: str) -> AsyncIterator[None]:
        """Use a part of the key's share while the block runs.

        Raises:
            Problem: `RATE_LIMITED`.
        """
        share = self._shares.setdefault(key_id, _Share(asyncio.Semaphore(self._running)))
        if share.users >= self._running + self._waiting:
            message = f"This key already has {share.users} slow requests running or waiting"
            raise Problem(Kinds.RATE_LIMITED, f"{message}. Wait for their responses.")
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
    """A task and its state."""

    work: Callable[[], Any]
    key_id: str | None
    cancellation: Cancellation = field(default_factory=Cancellation)
    begun: bool = False

    def __call__(self) -> Any:
        with cancellable(self.cancellation):
            return self.work()


class BoundedExecutor:
    """A thread pool with a bounded queue.

    Args:
        name: of the threads, and in metrics.
        bounds: limits of the executor.
        shares: limits of each key; None for none.
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
        """Run a task in a thread and return its result or raise its exception.

        Args:
            work: the task.
            receive: of the request, after its body was read: the task is dropped or cancelled when
                the client disconnects.
            key_id: the API key, if keys have shares.
            finish: complete the task once it has begun, without a time limit.

        Raises:
            Problem: `OVERLOADED`, or `RATE_LIMITED` when the key's share is used up.
            ClientGone: the client disconnected.
        """
        job = _Job(work, key_id)
        doing: Coroutine[Any, Any, Result] = self._do(job, finish=finish)
        if receive is None:
            return await doing
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        gone = asyncio.create_task(disconnected(receive))
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
            task.exception()  # retrieved, or asyncio would log it

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
                # The thread is not free before the task has stopped.
                await asyncio.wait([running])
                with suppress(Exception):
                    running.result()
                raise
            finally:
                if timer is not None:
                    timer.cancel()

    async def _begin(self, job: _Job, held: AsyncExitStack) -> None:
        """Wait for a thread, and reserve it."""
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
    """The result of a future, which is cancelled when the client disconnects.

    Raises:
        ClientGone: the client disconnected.
    """
    gone: asyncio.Future[Any] = asyncio.create_task(disconnected(receive))
    waited: list[asyncio.Future[Any]] = [future, gone]
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise ClientGone
        return future.result()
    finally:
        gone.cancel()
        future.cancel()


AUTHENTICATION = Bounds(threads=2, queue=1000, start_seconds=10)
"""A look-up takes at most a millisecond, and each key needs one a second."""

ISSUERS = Bounds(threads=2, queue=100, start_seconds=10)
"""A fetch takes seconds if the issuer does not answer; there is one a minute for each issuer."""

HEALTH = Bounds(threads=1, queue=100, start_seconds=5)

UPLOAD_QUEUE = 500
UPLOAD_START_SECONDS = 20.0
"""Waiting uploads hold their bodies; `limits.MEMORY` bounds the bytes too."""

SCHEMA_SHARES = WORKERS - 1
"""Worker processes that one key may use at a time."""

READ_THREADS = 3
SLOW_THREADS = 4
"""More than the share of one key, so that other keys always find a thread."""

READ_QUEUE = 200
SLOW_QUEUE = 32
START_SECONDS = 20.0
"""How long a query may wait for a thread: clients commonly wait for 30 seconds."""

SLOW_WAITING_PER_KEY = 16
"""Waiting slow requests of one key: a page of charts sends several at once."""

EXPORTS_AT_ONCE = 2
"""Exports of a process at a time: each holds a database connection and up to 200 MB."""


class Executors:
    """The executors of a worker process; they are independent of each other.

    Args:
        limits: limits of queries.
        blobs: threads for calls to the blob store.

    Attributes:
        authentication: key look-ups and rate counters.
        issuers: fetches of the key sets of issuers.
        health: the readiness check.
        uploads: validation of large bodies, and writes to the blob store.
        schemas: waits for the processes that validate complex documents; shared out among keys.
        blobs: reads of images.
        reads: queries that take milliseconds.
        slow: queries that may take seconds; shared out among keys.
        exports: exports; each holds a snapshot from start to end.
    """

    def __init__(self, limits: AnswerLimits, blobs: int) -> None:
        seconds, per_key = limits.seconds, limits.slow_per_key
        uploads = Bounds(blobs, UPLOAD_QUEUE, UPLOAD_START_SECONDS)
        schemas = Bounds(WORKERS, UPLOAD_QUEUE, UPLOAD_START_SECONDS)
        slow = Bounds(max(SLOW_THREADS, per_key + 1), SLOW_QUEUE, START_SECONDS, seconds)
        exports = Bounds(EXPORTS_AT_ONCE, 2 * EXPORTS_AT_ONCE, START_SECONDS)
        of_schemas = Shares(SCHEMA_SHARES, UPLOAD_QUEUE // 2)
        of_slow = Shares(per_key, SLOW_WAITING_PER_KEY)
        self.authentication = BoundedExecutor("authentication", AUTHENTICATION)
        self.issuers = BoundedExecutor("issuers", ISSUERS)
        self.health = BoundedExecutor("health", HEALTH)
        self.uploads = BoundedExecutor("uploads", uploads)
        self.schemas = BoundedExecutor("schemas", schemas, of_schemas)
        self.blobs = BoundedExecutor("blobs", Bounds(blobs, READ_QUEUE, START_SECONDS))
        reads = Bounds(READ_THREADS, READ_QUEUE, START_SECONDS, seconds)
        self.reads = BoundedExecutor("reads", reads)
        self.slow = BoundedExecutor("slow", slow, of_slow)
        self.exports = BoundedExecutor("exports", exports)

"""Threads that clean images, shared fairly among API keys."""

import heapq
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import ceil
from time import monotonic
from typing import Final

from uptake.intake.images import CleanImage, Examined, UnusableImage, examine
from uptake.model.problems import Kinds, Problem

MILLION: Final = 1_000_000

THREADS: Final = min(4, max(2, os.cpu_count() or 2))
"""At least two, as one may clean a large image; at most four, as each takes up to 250 MB for an
ordinary photograph that has to be turned."""

ORDINARY_WORK: Final = 400 * MILLION
"""Work up to which any thread cleans an image, about 0.4 seconds: a photograph of 24 megapixels
that has to be turned.  Larger images are cleaned one at a time, which bounds their memory to a
gigabyte and leaves threads to other images."""

START_SECONDS: Final = 15.0
"""How long an image may wait to be cleaned; with the time of cleaning, less than the 30 seconds
that clients commonly wait."""

BURST_SECONDS: Final = 5.0
"""A key may upload as much at once as its rate permits in this time."""

MAX_KEYS: Final = 10_000
"""Keys with recorded use; beyond that, keys within their rate are forgotten."""

WORK_PER_BYTE: Final = 7
"""Nanoseconds to decode a byte of entropy-coded JPEG data."""


@dataclass(slots=True)
class _Job:
    key_id: str
    future: Future[CleanImage]
    latest: float
    clean: Callable[[], CleanImage | None]


class ImagePool:
    """Cleans images of many keys; the key with the least work so far comes first.

    A thread first reads the structure of an image, which takes milliseconds and gives its cost. A
    large image then waits until no other large one is being cleaned.

    Args:
        rate: work of one key in a second, in millions of pixels.
        threads: number of images that are cleaned at a time.
    """

    def __init__(self, rate: int, threads: int = THREADS) -> None:
        self._rate = rate * MILLION
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self._lock = threading.Lock()
        self._numbers = count()
        # Ordered by when each would be done if all keys had equal shares of a thread.
        self._waiting: list[tuple[float, int, _Job]] = []
        self._large: list[tuple[float, int, _Job]] = []
        self._is_large_running = False
        self._time = 0.0
        self._shares: dict[str, float] = {}
        self._debts: dict[str, tuple[float, float]] = {}
        self._is_stopped = False

    def clean(self, key_id: str, content: bytes) -> Future[CleanImage]:
        """Queue an image.

        Returns:
            A future of the image. It raises `UnusableImage`, or a `Problem` if the key exceeds its
            rate (`RATE_LIMITED`) or the image waits too long (`OVERLOADED`).
        """
        future: Future[CleanImage] = Future()
        job = _Job(key_id, future, monotonic() + START_SECONDS, _nothing)
        job.clean = partial(self._examined, job, content)
        self._add(self._waiting, job, WORK_PER_BYTE * len(content))
        return future

    def stop(self) -> None:
        """Clean no more images; those that wait fail with `OVERLOADED`."""
        with self._lock:
            self._is_stopped = True
            stopped = [job for _, _, job in (*self._waiting, *self._large)]
            self._waiting.clear()
            self._large.clear()
        for job in stopped:
            _fail(job.future, Problem(Kinds.OVERLOADED, "The server is stopping"))

    def close(self) -> None:
        """Stop, and wait for the images that are being cleaned."""
        self.stop()
        self._threads.shutdown()

    def _add(self, queue: list[tuple[float, int, _Job]], job: _Job, work: int) -> None:
        with self._lock:
            if self._is_stopped:
                _fail(job.future, Problem(Kinds.OVERLOADED, "The server is stopping"))
                return
            due = self._charge(job.key_id, work)
            heapq.heappush(queue, (due, next(self._numbers), job))
        self._threads.submit(self._run_all)

    def _charge(self, key_id: str, work: int) -> float:
        """Add to the work of a key; returns when it would be done in equal shares."""
        due = max(self._time, self._shares.get(key_id, 0.0)) + work
        self._shares[key_id] = due
        return due

    def _run_all(self) -> None:
        """Run jobs until none may run now."""
        while (picked := self._pick()) is not None:
            job, is_large = picked
            try:
                self._run(job)
            finally:
                if is_large:
                    with self._lock:
                        self._is_large_running = False

    def _pick(self) -> tuple[_Job, bool] | None:
        with self._lock:
            queues = [self._waiting] if self._is_large_running else [self._waiting, self._large]
            queue = min((queue for queue in queues if queue), key=lambda q: q[0], default=None)
            if queue is None:
                if not self._large:
                    self._shares.clear()
                return None
            due, _, job = heapq.heappop(queue)
            self._time = max(self._time, due)
            is_large = queue is self._large
            self._is_large_running |= is_large
            return job, is_large

    def _run(self, job: _Job) -> None:
        if job.future.cancelled():
            return
        if monotonic() > job.latest:
            _fail(job.future, Problem(Kinds.OVERLOADED, "Too many images are waiting"))
            return
        # The work and the job refer to each other: without this, both hold the image until the next
        # garbage collection.
        clean, job.clean = job.clean, _nothing
        try:
            image = clean()
        except MemoryError:
            _fail(job.future, Problem(Kinds.OVERLOADED, "There is no memory for this image now"))
        except (UnusableImage, Problem) as error:
            _fail(job.future, error)
        else:
            if image is not None and job.future.set_running_or_notify_cancel():
                job.future.set_result(image)

    def _examined(self, job: _Job, content: bytes) -> CleanImage | None:
        """The cleaned image; None for a large one, which is queued."""
        examined: Examined = examine(content)
        work = examined.work + WORK_PER_BYTE * len(content)
        self._spend(job.key_id, work)
        if work <= ORDINARY_WORK:
            with self._lock:
                self._charge(job.key_id, examined.work)
            return examined.cleaned()
        job.clean = examined.cleaned
        self._add(self._large, job, examined.work)
        return None

    def _spend(self, key_id: str, work: int) -> None:
        """Count work against a key's rate.

        Raises:
            Problem: `RATE_LIMITED`.
        """
        now = monotonic()
        with self._lock:
            since, debt = self._debts.get(key_id, (now, 0.0))
            debt = max(debt - (now - since) * self._rate, 0.0)
            excess = debt - BURST_SECONDS * self._rate
            if excess <= 0:
                debt += work
            self._debts[key_id] = now, debt
            if len(self._debts) > MAX_KEYS:
                self._debts = {
                    key: (since, debt)
                    for key, (since, debt) in self._debts.items()
                    if debt > (now - since) * self._rate
                }
        if excess > 0:
            raise Problem(
                Kinds.RATE_LIMITED,
                "This key sends more pixels than it may; ordinary photographs are far below that",
                retry_after=ceil(excess / self._rate),
            )


def _nothing() -> None:
    """Replaces work that is done."""


def _fail(future: Future[CleanImage], error: Exception) -> None:
    if future.set_running_or_notify_cancel():
        # A traceback would hold the image in memory.
        future.set_exception(error.with_traceback(None))

"""The group commit: submissions of many requests in one transaction, with one sync to disk.

While a group is written, the next one gathers; if more submissions are arriving, a group waits for
them briefly. Groups are small under light load and large under heavy load, and a submission that is
alone waits for nothing.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from functools import partial
from time import monotonic, perf_counter
from traceback import format_tb
from typing import Protocol

import structlog
from msgspec.structs import replace
from prometheus_client import Gauge, Histogram

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.store.base import Commits, RejectionQueries, StoreUnavailable
from uptake.store.image_ports import NumberedImages
from uptake.store.records import Entry, ImageRecord, RejectionRecord, WrittenImage
from uptake.store.stored import Committed
from uptake.time_units import MICROSECONDS_PER_MILLISECOND

MAX_WAITING = 512
"""Submissions that may wait; further ones are answered with 503. The server accepts up to 1024
connections, so a burst on all of them reaches this bound."""

MAX_GROUP = 256
"""Submissions in a transaction, which bounds how long a reader or another process waits for it."""

GATHER_SECONDS = 0.002
"""How long a group waits for submissions that are arriving: a transaction of its own costs half the
processor time of a batch of 1000 samples (measured)."""

CLEANERS = 2
"""Threads that remove unwanted bytes, so that the committing thread does not wait for the blob
store. Such entries are rare, so two are enough."""

WRITERS = 8
"""Parts of a group that are written at the same time. On a distributed database each waits for
another node."""

STOP_SECONDS = 30
"""How long a stop waits until the queue is written."""

WATCH_SECONDS = 0.5
"""How often a `CommitWaiter` looks for submissions that have waited too long."""

MAX_MS = (1 << 31) - 1
"""The largest duration in a receipt: a 32-bit column. A clock that is set may exceed it."""

GROUP_SIZE = Histogram(
    "uptake_commit_group_size",
    "Submissions written in one transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
GROUP_SECONDS = Histogram(
    "uptake_commit_group_seconds",
    "Time from the start of a transaction until it is durable",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
QUEUE_DEPTH = Gauge(
    "uptake_commit_queue_depth", "Submissions that wait to be written", multiprocess_mode="livesum"
)

Submitted = tuple[Entry, Future[Committed]]
_log = structlog.get_logger()


class Committer(Protocol):
    """Writes submitted entries; see `GroupCommit`."""

    @property
    def arriving(self) -> AbstractContextManager[None]:
        """A block in which a submission arrives."""

    def submit(self, entry: Entry) -> Future[Committed]:
        """Queue an entry."""


class CommitStore(Commits, RejectionQueries, NumberedImages, Protocol):
    """The ports that entries are written to, and checked against after an erasure."""


class Arrivals:
    """Counts submissions that are arriving; a `with` block counts one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def __enter__(self) -> None:
        with self._lock:
            self.count += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self.count -= 1


class GroupCommit:
    """A thread that writes submitted entries in groups.

    Args:
        store: where entries are written.
        blobs: where their bytes are.

    Attributes:
        arriving: counts the submissions for which a group waits briefly.
    """

    def __init__(self, store: CommitStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._cleaners = ThreadPoolExecutor(CLEANERS, thread_name_prefix="unwanted-bytes")
        self._writers = ThreadPoolExecutor(WRITERS - 1, thread_name_prefix="commit-part")
        self._waiting: queue.SimpleQueue[Submitted | None] = queue.SimpleQueue()
        self.arriving = Arrivals()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """The number of submissions that wait."""
        return self._waiting.qsize()

    def submit(self, entry: Entry) -> Future[Committed]:
        """Queue an entry; the future is done when it is durable and unwanted bytes are removed.

        The future raises `Problem` (`UNAVAILABLE`) if the entry was not written, or if bytes of an
        erased user may be left: a repeated request removes them.

        Raises:
            Problem: `OVERLOADED`: too many entries wait, or the server is stopping.
        """
        future: Future[Committed] = Future()
        if self._closed:
            raise Problem(Kinds.OVERLOADED, "The server is stopping")
        if self._waiting.qsize() >= MAX_WAITING:
            raise Problem(Kinds.OVERLOADED)
        self._waiting.put((entry, future))
        return future

    def close(self) -> None:
        """Write the queue, then stop; no more entries are accepted."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join(STOP_SECONDS)
        self._writers.shutdown()
        self._cleaners.shutdown()

    def _run(self) -> None:
        more = True
        while more:
            group, more = self._gather()
            QUEUE_DEPTH.set(self._waiting.qsize())
            # From here on a future cannot be cancelled. The entry of a cancelled one is dropped.
            group = [waits for waits in group if waits[1].set_running_or_notify_cancel()]
            if group:
                self._write(group)

    def _gather(self) -> tuple[list[Submitted], bool]:
        """The next group, and whether there are more after it."""
        group: list[Submitted] = []
        waiting = self._waiting.get()
        latest = monotonic() + GATHER_SECONDS
        while waiting is not None:
            group.append(waiting)
            if len(group) == MAX_GROUP:
                return group, True
            wait = latest - monotonic() if self.arriving.count else 0.0
            if wait <= 0 and self._waiting.empty():
                return group, True
            try:
                waiting = self._waiting.get(timeout=max(wait, 0.0))
            except queue.Empty:
                return group, True
        return group, False

    def _write(self, group: Sequence[Submitted]) -> None:
        """Write a group. Each part of it is written, and fails, on its own."""
        try:
            parts = self._store.parts([entry for entry, _ in group])
        except Exception as error:  # noqa: BLE001 - the waiting requests must get an answer
            self._fail(group, error)
            return
        first, *others = ([group[number] for number in numbers] for numbers in parts)
        written = [self._writers.submit(self._write_part, part) for part in others]
        self._write_part(first)
        # The next group may have entries of the same users.
        wait(written)

    def _write_part(self, group: Sequence[Submitted]) -> None:
        started = perf_counter()
        try:
            now = clock.now()
            outcomes = self._store.commit([_timed(entry, now) for entry, _ in group])
        except Exception as error:  # noqa: BLE001 - the waiting requests must get an answer
            self._fail(group, error)
            return
        GROUP_SIZE.observe(len(group))
        GROUP_SECONDS.observe(perf_counter() - started)
        for submitted, outcome in zip(group, outcomes, strict=True):
            entry, future = submitted
            if _may_have_unwanted_bytes(entry, outcome):
                self._cleaners.submit(self._clean_up, submitted, outcome)
            else:
                future.set_result(outcome)

    def _clean_up(self, submitted: Submitted, outcome: Committed) -> None:
        entry, future = submitted
        try:
            names = list(_unwanted_bytes(self._store, self._blobs, entry, outcome))
            if names:
                self._blobs.delete(names)
        except (StoreUnavailable, BlobsUnavailable) as error:
            _log.warning("bytes may be left", reason=str(error), request_id=entry.request_id)
            future.set_exception(_unavailable(error))
        except Exception as error:  # noqa: BLE001 - the waiting request must get an answer
            self._fail([submitted], error)
        else:
            future.set_result(outcome)

    def _fail(self, group: Sequence[Submitted], error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            _log.error("store unavailable", reason=str(error), submissions=len(group))
        elif len(group) > 1:
            # An entry that cannot be written must not fail the others.
            for waiting in group:
                self._write_part([waiting])
            return
        else:
            # Without its message: that of a database driver may quote data.
            place = "".join(format_tb(error.__traceback__))
            _log.error(
                "commit failed",
                request_id=group[0][0].request_id,
                error=type(error).__name__,
                place=place,
            )
        for _, future in group:
            future.set_exception(_unavailable(error))


def _timed(entry: Entry, now: int) -> Entry:
    waited = max(now - entry.received_at, 0) // MICROSECONDS_PER_MILLISECOND
    return replace(entry, ms=min(waited, MAX_MS))


def _unavailable(error: Exception) -> Problem:
    problem = Problem(Kinds.UNAVAILABLE)
    problem.__cause__ = error
    return problem


def _may_have_unwanted_bytes(entry: Entry, outcome: Committed) -> bool:
    """Whether `_unwanted_bytes` must be called: most entries have no bytes in the blob store."""
    if any(rejection.raw_blob is not None for rejection in entry.rejections):
        return True
    return any(True for _ in _images_without_row(entry, outcome))


def _unwanted_bytes(
    store: CommitStore, blobs: Blobs, entry: Entry, outcome: Committed
) -> Iterator[str]:
    """The blobs of an entry that no stored row refers to.

    The user was erased, or the image is stored already and has its bytes.
    """
    for record, image_id in _images_without_row(entry, outcome):
        if image_id is None or not _restored(store, blobs, entry.project, image_id, record):
            yield record.blob
    for rejection in entry.rejections:
        if rejection.raw_blob and not _is_stored(store, entry.project, rejection):
            yield rejection.raw_blob


def _images_without_row(
    entry: Entry, outcome: Committed
) -> Iterator[tuple[ImageRecord, int | None]]:
    """Images that were not written, each with the number of the same image that was stored."""
    for record, written in zip(entry.records, outcome.written, strict=True):
        if isinstance(record, ImageRecord):
            stored = written if isinstance(written, WrittenImage) else None
            # A commit that is tried again finds its own image, by its name.
            if stored is None or stored.name != record.name:
                yield record, None if stored is None else stored.image_id


def _restored(
    store: NumberedImages, blobs: Blobs, project: str, image_id: int, record: ImageRecord
) -> bool:
    """Whether a stored image had lost its bytes, and has those of the record now."""
    image = store.numbered_image(project, image_id)
    if image is None or blobs.read(image.blob, 0, 1) is not None:
        return False
    return store.replace_blob(project, image, record)


def _is_stored(store: CommitStore, project: str, rejection: RejectionRecord) -> bool:
    stored = store.rejection(project, rejection.rejection_id)
    return stored is not None and any(
        record.user_id == rejection.user_id for record in stored.records
    )


Waiter = asyncio.Future[Committed]


class CommitWaiter:
    """Delivers results of the committing thread to one event loop.

    All results of a group are delivered by one call, and one timer watches all waiting requests: a
    call and a timer for each would cost a small request a twentieth of its time.

    Args:
        seconds: how long an entry may wait; one that has not begun by then is never written.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[Waiter, tuple[float, Future[Committed]]] = {}
        self._done: deque[tuple[Waiter, Future[Committed]]] = deque()
        self._is_delivering = False
        self._is_watching = False

    async def wait(self, commit: Future[Committed]) -> Committed:
        """Wait for the result of `GroupCommit.submit`.

        Raises:
            Problem: as the future; `UNAVAILABLE`: it took too long.
        """
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self._waiting[waiter] = loop.time() + self._seconds, commit
        if not self._is_watching:
            self._is_watching = True
            loop.call_later(WATCH_SECONDS, self._watch, loop)
        commit.add_done_callback(partial(self._on_done, loop, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            commit.cancel()
            raise
        finally:
            del self._waiting[waiter]

    def _on_done(
        self, loop: asyncio.AbstractEventLoop, waiter: Waiter, commit: Future[Committed]
    ) -> None:
        """Called by the committing thread."""
        self._done.append((waiter, commit))
        # Once until `_deliver` begins: it delivers everything that was appended before.
        if not self._is_delivering:
            self._is_delivering = True
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_delivering = False
        while self._done:
            waiter, commit = self._done.popleft()
            if waiter.done():
                continue
            error = commit.exception()
            if error is None:
                waiter.set_result(commit.result())
            else:
                waiter.set_exception(error)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for waiter, (latest, commit) in list(self._waiting.items()):
            if latest > now:
                break
            commit.cancel()
            if not waiter.done():
                waiter.set_exception(Problem(Kinds.UNAVAILABLE, "Storage takes too long"))
        self._is_watching = bool(self._waiting)
        if self._is_watching:
            loop.call_later(WATCH_SECONDS, self._watch, loop)

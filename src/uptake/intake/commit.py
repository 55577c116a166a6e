"""The group commit: submissions of many requests in one transaction, one sync to disk for all.

While one group is being written, the next one gathers; and while it is known that others are on
their way, a group waits for them a little. So groups are small when there is little to do and large
when there is much, and a lone sender waits for nobody.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, perf_counter
from traceback import format_tb
from typing import Protocol

import structlog
from prometheus_client import Gauge, Histogram

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.intake import leftovers
from uptake.model.problems import Kinds, Problem
from uptake.store.base import Commits, RejectionQueries, StoreUnavailable
from uptake.store.records import Entry, Written

MAX_WAITING = 512
"""Submissions that may wait; beyond them a request is turned away (503). The server takes up to
1024 connections, so that of as many requests at once some are told so."""

MAX_GROUP = 256
"""Submissions in a transaction: bounds how long a reader or another process waits for it."""

GATHER_SECONDS = 0.002
"""How long a group waits for submissions that are on their way: a transaction of its own for each
takes half the processor's time of a batch of 1000 samples (measured)."""

CLEANERS = 2
"""Threads that remove leftover bytes. They wait for the blob store, so the committing thread does
not; as entries with leftovers are rare, two are enough."""

STOP_SECONDS = 30
"""How long a stop waits for what is queued to be written."""

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

Outcome = tuple[Written, ...]
Submitted = tuple[Entry, Future[Outcome]]
_log = structlog.get_logger()


class CommitStore(Commits, RejectionQueries, Protocol):
    """The ports that entries are written to, and checked against after an erasure."""


class GroupCommit:
    """A thread that writes what is submitted, a group at a time.

    Args:
        store: where entries are written.
        blobs: where their bytes are.
    """

    def __init__(self, store: CommitStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._cleaners = ThreadPoolExecutor(CLEANERS, thread_name_prefix="leftovers")
        self._waiting: queue.Queue[Submitted | None] = queue.Queue(MAX_WAITING)
        self._on_their_way = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many submissions wait."""
        return self._waiting.qsize()

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Say that a submission is on its way, from one thread only; groups wait for it briefly."""
        self._on_their_way += 1
        try:
            yield
        finally:
            self._on_their_way -= 1

    def submit(self, entry: Entry) -> Future[Outcome]:
        """Have an entry written; the future is done when it is durable and left no bytes behind.

        The future raises `Problem` (`UNAVAILABLE`) when it was not written, or when bytes of an
        erased user may be left: sent again, it meets the tombstone and the bytes are removed.

        Raises:
            Problem: `OVERLOADED`, when too many wait or the server is stopping.
        """
        future: Future[Outcome] = Future()
        if self._closed:
            raise Problem(Kinds.OVERLOADED, "The server is stopping")
        try:
            self._waiting.put_nowait((entry, future))
        except queue.Full:
            raise Problem(Kinds.OVERLOADED) from None
        return future

    def close(self) -> None:
        """Write what waits, then stop; nothing more is taken."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join(STOP_SECONDS)
        self._cleaners.shutdown()

    def _run(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._gather()
            QUEUE_DEPTH.set(self._waiting.qsize())
            # From here on a future cannot be cancelled; one that has been is written by nobody.
            group = [waits for waits in group if waits[1].set_running_or_notify_cancel()]
            if group:
                self._write(group)

    def _gather(self) -> tuple[list[Submitted], bool]:
        """What is to be written together, and whether there will be more after it."""
        group: list[Submitted] = []
        waiting = self._waiting.get()
        latest = monotonic() + GATHER_SECONDS
        while waiting is not None:
            group.append(waiting)
            if len(group) == MAX_GROUP:
                return group, True
            patience = latest - monotonic() if self._on_their_way else 0
            try:
                waiting = self._waiting.get(patience > 0, max(patience, 0))
            except queue.Empty:
                return group, True
        return group, False

    def _write(self, group: Sequence[Submitted]) -> None:
        started = perf_counter()
        try:
            outcomes = self._store.commit([entry for entry, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must be told
            self._fail(group, error)
            return
        GROUP_SIZE.observe(len(group))
        GROUP_SECONDS.observe(perf_counter() - started)
        for submitted, outcome in zip(group, outcomes, strict=True):
            entry, future = submitted
            if leftovers.may_exist(entry, outcome):
                self._cleaners.submit(self._clean_up, submitted, outcome)
            else:
                future.set_result(outcome)

    def _clean_up(self, submitted: Submitted, outcome: Outcome) -> None:
        entry, future = submitted
        try:
            leftovers.remove(self._store, self._blobs, entry, outcome)
        except (StoreUnavailable, BlobsUnavailable) as error:
            _log.warning("bytes may be left", reason=str(error), request_id=entry.request_id)
            future.set_exception(_unavailable(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must be told
            self._fail([submitted], error)
        else:
            future.set_result(outcome)

    def _fail(self, group: Sequence[Submitted], error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            _log.error("store unavailable", reason=str(error), submissions=len(group))
        elif len(group) > 1:
            # One entry that cannot be written must not take its neighbours along.
            for waiting in group:
                self._write([waiting])
            return
        else:
            # Not its message: a driver's may quote the data that it is about.
            place = "".join(format_tb(error.__traceback__))
            _log.error(
                "commit failed",
                request_id=group[0][0].request_id,
                error=type(error).__name__,
                place=place,
            )
        for _, future in group:
            future.set_exception(_unavailable(error))


def _unavailable(error: Exception) -> Problem:
    problem = Problem(Kinds.UNAVAILABLE)
    problem.__cause__ = error
    return problem

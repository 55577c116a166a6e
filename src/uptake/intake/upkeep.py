"""Periodic background work; each chore runs in one process of all."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Protocol

import structlog

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.intake.erase import Eraser
from uptake.intake.fold import fold
from uptake.intake.rejections import FindUsers, Rejections, examine
from uptake.intake.retain import expire, in_force
from uptake.model import clock
from uptake.model.problems import Kinds
from uptake.store.base import Erasures, Maintenance, Store, StoreUnavailable
from uptake.store.definitions import RetentionRule
from uptake.store.project_ports import Projects
from uptake.store.request_ports import RequestQueries
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

LOOK_SECONDS = 5.0
"""Interval at which a process looks for chores that are due."""

SAMPLES_SECONDS = 5
"""A client that sends one small batch after the other adds 1,800 in this time. Each is a row that
every read of the user reads."""

RECEIPTS_SECONDS = 20
"""A server that receives 5,000 requests a second adds 100,000 receipts in this time. A list of
requests reads all of them."""

ERASURES_SECONDS = 60
EXAMINATION_SECONDS = 600
RETENTION_SECONDS = 3600
SEGMENTS_SECONDS = 10

SAMPLES_TURN_SECONDS = 5.0
"""Time of one turn of folding samples, so that the other chores and the processor have time in
between."""

RECEIPTS_TURN_SECONDS = 20.0
"""Time of a turn of folding receipts, half of it pauses: for 200,000, more than a server accepts in
`RECEIPTS_SECONDS`, as an idle processor folds 20,000 in a second. Other chores wait as long."""

UNAUTHORIZED_RECEIPTS = RetentionRule("receipts", 3, Kinds.UNAUTHORIZED.value.code)
"""Receipts of requests without a valid API key are stored for three days, whatever the rules of the
project, so that such requests cannot fill a disk."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """Periodic work; a claim in the store makes sure that one process runs it."""

    name: str
    seconds: int
    do: Callable[[], None]


class UpkeepStore(Maintenance, Erasures, Protocol):
    """The ports that schedule chores."""


class Upkeep:
    """A thread that runs chores, and scrubs the store after erasures.

    Args:
        store: where chores are claimed.
        chores: in the order in which they run.
        stop: is set by `close`; a chore may end early when it is.
    """

    def __init__(self, store: UpkeepStore, chores: Sequence[Chore], stop: threading.Event) -> None:
        self._store = store
        self._chores = chores
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Start, and look for chores at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current chore."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for chore in self._chores:
                self._do(chore)
            with suppress(StoreUnavailable):
                self._store.scrub(thorough=True)
            self._stop.wait(LOOK_SECONDS)

    def _do(self, chore: Chore) -> None:
        now = clock.now()
        try:
            until = now + chore.seconds * MICROSECONDS_PER_SECOND
            if not self._stop.is_set() and self._store.claim(chore.name, now, until):
                chore.do()
        except (StoreUnavailable, BlobsUnavailable) as error:
            _log.warning("chore postponed", chore=chore.name, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the other chores must run
            _log.error("chore failed", chore=chore.name, exc_info=error)


def chores(
    store: Store,
    blobs: Blobs,
    rejections: Rejections,
    find_users: FindUsers,
    stop: threading.Event,
) -> tuple[Chore, ...]:
    """All chores. Those that fold end early when the process stops."""

    def finish_erasures() -> None:
        finished = Eraser(store, blobs).resume()
        if finished:
            _log.info("erasures finished", erasures=finished)

    def examine_rejections() -> None:
        examined = examine(store, blobs, rejections, find_users)
        if examined:
            _log.info("rejections examined", rejections=examined)

    def apply_retention() -> None:
        now = clock.now()
        for project in store.projects():
            for rule in in_force(store.retention(project)):
                taken = expire(store, blobs, project, rule, now)
                if taken:
                    _log.info("retention", kind=rule.kind, type=rule.type, taken=taken)
            expire(store, blobs, project, UNAUTHORIZED_RECEIPTS, now)

    fold_receipts = AfterRequests(
        store, partial(_fold_receipts, store, stop), RECEIPTS_TURN_SECONDS, stop.is_set
    )
    fold_samples = AfterRequests(store, partial(fold, store), SAMPLES_TURN_SECONDS, stop.is_set)
    return (
        Chore("receipts", RECEIPTS_SECONDS, fold_receipts),
        Chore("erasures", ERASURES_SECONDS, finish_erasures),
        Chore("examination", EXAMINATION_SECONDS, examine_rejections),
        Chore("retention", RETENTION_SECONDS, apply_retention),
        Chore("samples", SAMPLES_SECONDS, fold_samples),
    )


class RequestStore(RequestQueries, Projects, Protocol):
    """The ports that find projects with new requests."""


class AfterRequests:
    """Work on the projects with new requests, on any node; on all after a start and an ended day.

    Args:
        store: has the requests.
        do: the work on a project, until it is to end early; returns whether it is complete.
        seconds: of a turn.
        stopping: whether the process stops.
    """

    def __init__(
        self,
        store: RequestStore,
        do: Callable[[str, Callable[[], bool]], bool],
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._do = do
        self._seconds = seconds
        self._stopping = stopping
        self._seen: tuple[dict[int, int], int] | None = None
        self._due: dict[str, None] = {}

    def __call__(self) -> None:
        """Work until the turn ends. What is left comes first in the next turn."""
        self._look()
        end = monotonic() + self._seconds

        def until() -> bool:
            return self._stopping() or monotonic() > end

        for project in list(self._due):
            if until():
                return
            # Behind the others, which do not wait for one that fails or is never complete.
            del self._due[project]
            self._due[project] = None
            if self._do(project, until):
                del self._due[project]

    def _look(self) -> None:
        """Find the projects with work. A server without uploads reads a single row."""
        commits, today = self._store.request_commits(), clock.now() // MICROSECONDS_PER_DAY
        if self._seen is None or self._seen[1] != today:
            found = self._store.projects()
        elif self._seen[0] != commits:
            found = self._store.projects_with_requests(self._seen[0])
        else:
            found = []
        self._due.update(dict.fromkeys(found))
        self._seen = commits, today


def _fold_receipts(
    store: Store, stop: threading.Event, project: str, until: Callable[[], bool]
) -> bool:
    """Fold the receipts of a project. Returns whether all are folded.

    Uploads, which wait for each step on SQLite, have as much time as the steps.
    """
    now = clock.now()
    while not until():
        began = monotonic()
        if not store.fold_receipts(project, now):
            return True
        stop.wait(monotonic() - began)
    return False

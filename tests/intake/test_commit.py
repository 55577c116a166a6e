"""The group commit when the store is slow, fails, or cannot take one of its entries."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from uptake.intake.commit import MAX_WAITING, WRITERS, GroupCommit
from uptake.model.items import Attributes
from uptake.model.problems import Kinds, Problem
from uptake.store import sqlite
from uptake.store.base import Store, StoreUnavailable
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import Entry
from uptake.store.stored import Committed
from uptake.testing.blobs.memory import MemoryBlobs

SECONDS = 30.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite."""
    found = sqlite.open_store(tmp_path / "uptake.db")
    yield found
    found.close()


class GatedStore:
    """Writes to a store, when its gate is open; knows what it was asked to write together.

    Attributes:
        failing: raise this instead of writing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.groups: list[list[Entry]] = []
        self.failing: Exception | None = None

    def parts(self, entries: Sequence[Entry]) -> list[Sequence[int]]:
        """See `Commits.parts`."""
        return self._store.parts(entries)

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """See `Commits.commit`."""
        self.entered.set()
        assert self.gate.wait(SECONDS)
        self.groups.append(list(entries))
        if self.failing is not None:
            raise self.failing
        return self._store.commit(entries)


def _entry(number: int) -> Entry:
    return Entry(DEFAULT_PROJECT, f"r{number}", 1, (Attributes(f"u{number}", ("a",), ["b"]),))


def _poison(number: int) -> Entry:
    """An entry that no database takes: half a surrogate pair is not text."""
    return Entry(DEFAULT_PROJECT, f"r{number}", 1, (Attributes(f"u{number}\ud800", ("a",), ["b"]),))


def _started(gated: GatedStore) -> tuple[GroupCommit, Future[Committed]]:
    """A group commit that is held up while it writes one entry."""
    commit = GroupCommit(gated, MemoryBlobs())  # type: ignore[arg-type]
    first = commit.submit(_entry(-1))
    assert gated.entered.wait(SECONDS)
    return commit, first


def test_the_queue_for_a_slow_store_is_bounded(store: Store) -> None:
    """The next entry gets 503 with Retry-After; when the store continues, the queue is written."""
    gated = GatedStore(store)
    commit, first = _started(gated)
    waiting = [commit.submit(_entry(number)) for number in range(MAX_WAITING)]
    assert commit.depth == MAX_WAITING
    with pytest.raises(Problem) as raised:
        commit.submit(_entry(MAX_WAITING))
    assert (raised.value.kind, raised.value.status) == (Kinds.OVERLOADED, 503)
    assert raised.value.retry_after is not None
    assert raised.value.retry_after >= 1
    gated.gate.set()
    for future in (first, *waiting):
        assert future.result(SECONDS).written == (None,)
    assert commit.submit(_entry(MAX_WAITING)).result(SECONDS).written == (None,)
    commit.close()
    assert all(store.user(DEFAULT_PROJECT, f"u{n}") for n in (0, MAX_WAITING - 1, MAX_WAITING))


def test_what_waits_is_written_together(store: Store) -> None:
    """One group for all that came while the store was busy."""
    gated = GatedStore(store)
    commit, first = _started(gated)
    waiting = [commit.submit(_entry(number)) for number in range(100)]
    gated.gate.set()
    for future in (first, *waiting):
        future.result(SECONDS)
    commit.close()
    assert [len(group) for group in gated.groups] == [1, 100]


class PartedStore(GatedStore):
    """Takes each entry of a group for a part.

    Attributes:
        together: so many parts are written at the same time.
        late: set when the entry of the next group was submitted.
        events: the begins of groups and the ends of parts, in order.
    """

    def __init__(self, store: Store, together: int) -> None:
        super().__init__(store)
        self.together = threading.Barrier(together)
        self.late = threading.Event()
        self.events: list[str] = []

    def parts(self, entries: Sequence[Entry]) -> list[Sequence[int]]:
        """See `Commits.parts`."""
        self.events.append("group")
        return [[number] for number in range(len(entries))]

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """See `Commits.commit`."""
        number = int(entries[0].request_id[1:])
        if 0 <= number < WRITERS:
            self.together.wait(SECONDS)
        if number == 1:
            assert self.late.wait(SECONDS)
        written = super().commit(entries)
        self.events.append("part")
        return written


def test_the_parts_of_a_group_are_written_at_the_same_time(store: Store) -> None:
    """The next group begins when all of them are written."""
    parted = PartedStore(store, WRITERS)
    commit, first = _started(parted)
    waiting = [commit.submit(_entry(number)) for number in range(WRITERS)]
    parted.gate.set()
    for future in (first, waiting[0]):
        future.result(SECONDS)
    late = commit.submit(_entry(WRITERS))
    parted.late.set()
    for future in (*waiting, late):
        assert future.result(SECONDS).written == (None,)
    commit.close()
    assert parted.events == ["group", "part", "group", *["part"] * WRITERS, "group", "part"]


def test_an_entry_that_cannot_be_written_fails_alone(store: Store) -> None:
    """Its own request fails; the other entries of the group are stored and acknowledged."""
    gated = GatedStore(store)
    commit, _ = _started(gated)
    futures = [commit.submit(_poison(n) if n == 2 else _entry(n)) for n in range(5)]
    gated.gate.set()
    for number, future in enumerate(futures):
        if number == 2:
            error = future.exception(SECONDS)
            assert isinstance(error, Problem)
            assert error.status == 503
        else:
            assert future.result(SECONDS).written == (None,)
            assert store.user(DEFAULT_PROJECT, f"u{number}") is not None
    commit.close()


def test_an_unavailable_store_fails_its_group_and_the_next_one_is_written(store: Store) -> None:
    """No request waits for ever, and the next group is written."""
    gated = GatedStore(store)
    gated.failing = StoreUnavailable("no room")
    commit, first = _started(gated)
    gated.gate.set()
    error = first.exception(SECONDS)
    assert isinstance(error, Problem)
    assert (error.kind, error.status) == (Kinds.UNAVAILABLE, 503)
    gated.failing = None
    assert commit.submit(_entry(1)).result(SECONDS).written == (None,)
    commit.close()


def test_who_has_given_up_waiting_does_not_stop_the_others(store: Store) -> None:
    """Given up before its turn it is not written; given up too late it is."""
    gated = GatedStore(store)
    commit, first = _started(gated)
    futures = [commit.submit(_entry(number)) for number in range(3)]
    assert futures[1].cancel()
    assert not first.cancel()
    gated.gate.set()
    assert first.result(SECONDS).written == (None,)
    assert futures[0].result(SECONDS).written == (None,)
    assert futures[2].result(SECONDS).written == (None,)
    assert commit.submit(_entry(3)).result(SECONDS).written == (None,)
    commit.close()
    assert store.user(DEFAULT_PROJECT, "u1") is None


def test_closing_writes_the_queue_and_rejects_new_entries(store: Store) -> None:
    """New entries get the problem that the server is stopping."""
    gated = GatedStore(store)
    commit, first = _started(gated)
    waiting = [commit.submit(_entry(number)) for number in range(10)]
    closing = threading.Thread(target=commit.close)
    closing.start()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            waiting.append(commit.submit(_entry(len(waiting))))
        except Problem as problem:
            assert Kinds.OVERLOADED is problem.kind  # noqa: PT017 - it depends on the moment
            break
        time.sleep(0.001)
    else:
        pytest.fail("it goes on taking entries")
    gated.gate.set()
    closing.join(SECONDS)
    assert all(future.result(0).written == (None,) for future in (first, *waiting))

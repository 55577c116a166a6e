"""Users in memory are always those of the store, whatever happens to them."""

import threading
from itertools import islice
from time import monotonic
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from uptake.model.items import Attributes
from uptake.reading import Page
from uptake.reading.segments import DeadlineExceeded
from uptake.reading.segments import filters as f
from uptake.reading.segments import user_index as module
from uptake.reading.segments.queries import Pool, Segments
from uptake.reading.segments.user_index import UserIndex
from uptake.store.records import Entry
from uptake.store.sql_store import SqlStore
from uptake.store.stored import Changes
from uptake.store.user_queries import FIRST_PAGE
from uptake.testing.store.making import NOON, attributes, batch, entry
from uptake.testing.store.model import ModelStore

from .indexes import PLENTY, many, now, read, users_of

MEMORIES = (1, 500, 2000, PLENTY)
"""Room for no part, for one, for the ids but not all attributes, and for all users."""

EVERYBODY = b'{"and": []}'


PEOPLE = st.dictionaries(
    st.integers(0, 60), st.dictionaries(st.sampled_from("abn"), st.text('x"', max_size=2))
)


class Following(RuleBasedStateMachine):
    """A store, and indexes of it that differ in their memory; blocks and pages are small."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(module, "BLOCK", 16)
        self.patches.setattr(module, "PAGE", 7)

    def teardown(self) -> None:
        """Other tests have blocks of the usual size."""
        self.patches.undo()

    @initialize(count=st.sampled_from([0, 3, 40]))
    def begin(self, count: int) -> None:
        """Some users are there before the first question."""
        self.store = ModelStore()
        self.indexes = {memory: UserIndex(self.store, "default") for memory in MEMORIES}
        self.present: dict[str, dict[str, str]] = {}
        self.commit({i: {"n": str(i)} for i in range(count)})

    @rule(people=PEOPLE)
    def commit(self, people: dict[int, dict[str, str]]) -> None:
        """Attributes of some users are stored, of new users and others."""
        named = {f"user {i:02d}": values for i, values in people.items()}
        records = [Attributes(name, tuple(v), list(v.values())) for name, v in named.items()]
        self.store.commit([Entry("default", "r", NOON, tuple(records))])
        for name, values in named.items():
            self.present[name] = {**self.present.get(name, {}), **values}

    @rule(number=st.integers(0, 60))
    def erase(self, number: int) -> None:
        """A user is erased, and may return."""
        name = f"user {number:02d}"
        self.store.erase("default", name, "erasure", NOON)
        self.store.readmit("default", name)
        self.present.pop(name, None)

    @rule(
        memory=st.sampled_from(MEMORIES),
        names=st.none() | st.frozensets(st.sampled_from("abnz")),
        people=PEOPLE,
        erased=st.integers(0, 60),
    )
    def ask(self, memory: int, names: frozenset[str] | None, people: Any, erased: int) -> None:
        """Everybody is there, once and as they were, whatever happens while they are read."""
        index, present = self.indexes[memory], dict(self.present)
        parts = index.parts(f.Fields(names), monotonic() + 60, memory)
        found = list(islice(parts, 1))
        self.commit(people)
        self.erase(erased)
        found += parts
        assert index.size <= memory
        wanted = {
            name: {n: v for n, v in values.items() if names is None or n in names}
            for name, values in present.items()
        }
        read = {
            name: {n: v for n, v in values.items() if names is None or n in names}
            for name, values in users_of(found).items()
        }
        assert read == wanted


TestFollowing = Following.TestCase
TestFollowing.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=[*HealthCheck]
)


def test_blocks_stay_few_when_users_change_often(store: SqlStore) -> None:
    """Small blocks are merged, and rows that are not current are removed."""
    index = UserIndex(store, "default")
    store.commit([many(5000)])
    assert len(now(index)) == 5000
    for round_ in range(40):
        store.commit([many(200, first=round_ * 100, v=f"{round_}")])
        state = read(index)
        assert len(state) <= 6
        assert sum(len(part.block) for part in state) < 2.1 * 5000
    found = users_of(state)
    assert len(found) == 5000
    assert found["user 000150"] == {"n": "150", "v": "1"}
    assert found["user 004500"] == {"n": "4500"}


def test_more_users_than_fit_into_a_block_are_in_several(store: SqlStore) -> None:
    """They are read one page at a time."""
    count = module.BLOCK + 3 * module.PAGE
    for first in range(0, count, 20_000):
        store.commit([many(min(20_000, count - first), first=first)])
    index = UserIndex(store, "default")
    state = read(index)
    assert [part.count >= module.BLOCK for part in state] == [True, False]
    assert sum(part.count for part in state) == count
    store.commit([many(10, first=5, v="x"), many(1, first=count)])
    state = read(index)
    assert sum(part.count for part in state) == count + 1


def test_a_load_that_exceeds_its_deadline_continues_with_the_next_call(store: SqlStore) -> None:
    """Users that were read stay, and commits in between are not missed."""
    store.commit([many(5 * FIRST_PAGE)])
    index = UserIndex(store, "default")
    seen = []
    for number in range(1, 6):
        with pytest.raises(DeadlineExceeded) as unfinished:
            index.parts(f.ALL_FIELDS, monotonic(), PLENTY)
        seen.append(unfinished.value.users)
        store.commit([many(1, first=number, v="late"), many(1, first=10**5 + number)])
    found = now(index)
    assert seen == [FIRST_PAGE * number for number in range(1, 6)]
    assert len(found) == 5 * FIRST_PAGE + 5
    assert found["user 000001"] == {"n": "1", "v": "late"}


def test_a_call_that_waits_for_another_has_a_deadline(store: SqlStore) -> None:
    """It does not wait longer for one that reads."""
    store.commit([many(10)])
    index = UserIndex(store, "default")
    with index._lock:
        began = monotonic()
        with pytest.raises(DeadlineExceeded):
            index.parts(f.ALL_FIELDS, monotonic() + 0.2, PLENTY)
        assert 0.15 < monotonic() - began < 10
    assert len(now(index)) == 10


def test_an_erased_user_is_removed_from_memory(store: SqlStore) -> None:
    """The change log has only the hash of the id; the user may return."""
    store.commit([many(5), many(1, first=9)])
    index = UserIndex(store, "default")
    now(index)
    store.erase("default", "user 000003", "erasure", NOON)
    assert sorted(now(index)) == [f"user {i:06d}" for i in (0, 1, 2, 4, 9)]
    store.readmit("default", "user 000003")
    store.commit([many(1, first=3, back="yes")])
    assert now(index)["user 000003"] == {"n": "3", "back": "yes"}


def test_an_index_behind_the_log_reads_all_users_again() -> None:
    """And so does one if most users have changed."""

    class Forgetful(ModelStore):
        def changes(self, project: str, since: int | None) -> Changes | None:
            return (
                None
                if since is not None and since < self.forgotten
                else super().changes(project, since)
            )

        forgotten = 0

    store = Forgetful()
    index = UserIndex(store, "default")
    store.commit([many(3)])
    assert len(now(index)) == 3
    store.commit([many(3, first=3)])
    store.forgotten = 2
    assert len(now(index)) == 6
    store.commit([many(3 * module.PAGE, v="x")])
    found = now(index)
    assert (len(found), found["user 000000"]) == (3 * module.PAGE, {"n": "0", "v": "x"})


def test_a_repeated_change_is_skipped() -> None:
    """PostgreSQL repeats changes while an old transaction runs; an erasure must apply once."""

    class Repeating(ModelStore):
        def changes(self, project: str, since: int | None) -> Changes | None:
            return super().changes(project, None if since is None else 0)

    store = Repeating()
    index = UserIndex(store, "default")
    store.commit([many(3)])
    assert len(now(index)) == 3
    store.erase("default", "user 000001", "e", 0)
    assert len(now(index)) == 2
    store.readmit("default", "user 000001")
    store.commit([many(1, first=1)])
    assert len(now(index)) == 3
    assert len(now(index)) == 3


@pytest.mark.parametrize("memory", [PLENTY, 1])
def test_a_result_contains_everything_acknowledged_before_the_query(
    store: SqlStore, memory: int
) -> None:
    """While other threads write and query, whether users fit into memory or not."""
    segments = Segments(store, memory)
    acknowledged: list[int] = []
    stopped = threading.Event()

    def write() -> None:
        for i in range(150):
            store.commit([many(1, first=i)])
            acknowledged.append(i)
        stopped.set()

    def ask() -> None:
        while not stopped.is_set():
            expected = len(acknowledged)
            counts.append(segments.preview("default", EVERYBODY, Page(None, 1)).count - expected)

    counts: list[int] = []
    threads = [threading.Thread(target=work) for work in (write, ask, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) > 10
    assert min(counts) >= 0
    assert segments.preview("default", EVERYBODY, Page(None, 1)).count == 150


def test_first_and_last_seen_follow_every_upload(store: SqlStore) -> None:
    """Also uploads of samples, which change no attribute."""
    segments = Segments(store, PLENTY)
    store.commit([entry(attributes("anna", a="1"), received_at=NOON)])
    wanted = msgspec.json.encode({"seen": "last", "op": "gt", "value": "2023-11-14T22:13:20Z"})
    assert segments.preview("default", wanted, Page(None, 10)).count == 0
    store.commit([entry(batch("anna", "x"), received_at=NOON + 1)])
    assert segments.preview("default", wanted, Page(None, 10)).count == 1


def test_the_least_recently_used_project_is_dropped(store: SqlStore) -> None:
    """It is read again by the next query."""
    for project in ("a", "b", "c"):
        records = [attributes(f"{project} {i}", n=f"{i}") for i in range(1000)]
        store.commit([entry(*records, project=project)])
    pool = Pool(store, 100_000)
    for project in ("a", "b", "a", "c"):
        state = pool.parts(project, f.ALL_FIELDS, monotonic() + 60)
        assert {name[0] for name in users_of(state)} == {project}
    assert pool.projects == ["a", "c"]
    assert len(users_of(pool.parts("b", f.ALL_FIELDS, monotonic() + 60))) == 1000
    assert pool.projects == ["b", "c"]
    pool.drop_idle(0.0)
    assert pool.projects == []
    pool.close()

"""Users in memory are always those of the store, whatever happens to them."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from uptake.model.items import Attributes
from uptake.reading.segments import DeadlineExceeded, TooLarge
from uptake.reading.segments import user_index as module
from uptake.reading.segments.queries import Pool, Segments
from uptake.reading.segments.user_index import Parts, UserIndex
from uptake.store import sqlite
from uptake.store.records import Entry
from uptake.store.sql_store import SqlStore
from uptake.store.stored import Changes
from uptake.testing.store.making import NOON, attributes, batch, entry
from uptake.testing.store.model import ModelStore

PLENTY = 1 << 30
EVERYBODY = b'{"and": []}'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A new database."""
    opened = sqlite.open_store(tmp_path / "uptake.db")
    yield opened
    opened.close()


def told(state: Parts) -> dict[str, dict[str, str]]:
    """Who stands in an index, and with which attributes."""
    found: dict[str, dict[str, str]] = {}
    for part in state:
        assert part.count == part.present.sum() > 0
        for user_id, row in part.block.first(part.present, "", len(part.block)):
            assert user_id not in found
            (found[user_id],) = part.block.attributes([row])
    return found


def now(index: UserIndex) -> dict[str, dict[str, str]]:
    """Who is in an index, given time."""
    return told(index.now(monotonic() + 60, PLENTY))


def many(count: int, first: int = 0, **values: str) -> Entry:
    """So many users with a number each."""
    numbers = range(first, first + count)
    return entry(*(attributes(f"user {i:06d}", n=f"{i}", **values) for i in numbers))


class Following(RuleBasedStateMachine):
    """A store, and a index of it."""

    @initialize(count=st.sampled_from([0, 3, 40]))
    def begin(self, count: int) -> None:
        """Some users are there before the first question."""
        self.store = ModelStore()
        self.index = UserIndex(self.store, "default")
        self.present: dict[str, dict[str, str]] = {}
        self.commit({i: {"n": str(i)} for i in range(count)})

    @rule(
        people=st.dictionaries(
            st.integers(0, 60), st.dictionaries(st.sampled_from("abn"), st.text('x"', max_size=2))
        )
    )
    def commit(self, people: dict[int, dict[str, str]]) -> None:
        """Something is told of some users, new ones and others."""
        named = {f"user {i:02d}": values for i, values in people.items()}
        records = [Attributes(name, tuple(v), list(v.values())) for name, v in named.items()]
        self.store.commit([Entry("default", "r", NOON, tuple(records))])
        for name, values in named.items():
            self.present[name] = {**self.present.get(name, {}), **values}

    @rule()
    def ask(self) -> None:
        """Everybody is there, once and as they are."""
        assert now(self.index) == self.present


TestFollowing = Following.TestCase
TestFollowing.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=[*HealthCheck]
)


def test_blocks_stay_few_however_often_users_change(store: SqlStore) -> None:
    """Small ones are put together, and what is crossed out goes."""
    index = UserIndex(store, "default")
    store.commit([many(5000)])
    assert len(now(index)) == 5000
    for round_ in range(40):
        store.commit([many(200, first=round_ * 100, v=f"{round_}")])
        state = index.now(monotonic() + 60, PLENTY)
        assert len(state) <= 6
        assert sum(len(part.block) for part in state) < 2.1 * 5000
    found = told(state)
    assert len(found) == 5000
    assert found["user 000150"] == {"n": "150", "v": "1"}
    assert found["user 004500"] == {"n": "4500"}


def test_more_users_than_a_block_holds(store: SqlStore) -> None:
    """They stand in several blocks, read a page at a time."""
    count = module.BLOCK + 3 * module.PAGE
    for first in range(0, count, 20_000):
        store.commit([many(min(20_000, count - first), first=first)])
    index = UserIndex(store, "default")
    state = index.now(monotonic() + 60, PLENTY)
    assert [part.count >= module.BLOCK for part in state] == [True, False]
    assert sum(part.count for part in state) == count
    store.commit([many(10, first=5, v="x"), many(1, first=count)])
    state = index.now(monotonic() + 60, PLENTY)
    assert sum(part.count for part in state) == count + 1


def test_a_load_that_takes_longer_goes_on_the_next_time(store: SqlStore) -> None:
    """What was read stays, and what is committed meanwhile is not missed."""
    store.commit([many(5 * module.PAGE)])
    index = UserIndex(store, "default")
    seen = []
    for number in range(1, 6):
        with pytest.raises(DeadlineExceeded) as unfinished:
            index.now(monotonic(), PLENTY)
        seen.append(unfinished.value.users)
        store.commit([many(1, first=number, v="late"), many(1, first=10**5 + number)])
    found = now(index)
    assert seen == [module.PAGE * number for number in range(1, 6)]
    assert len(found) == 5 * module.PAGE + 5
    assert found["user 000001"] == {"n": "1", "v": "late"}


def test_whoever_waits_too_long_for_another_is_told(store: SqlStore) -> None:
    """A question does not wait for ever behind one that reads."""
    store.commit([many(10)])
    index = UserIndex(store, "default")
    with index._lock:
        began = monotonic()
        with pytest.raises(DeadlineExceeded):
            index.now(monotonic() + 0.2, PLENTY)
        assert 0.15 < monotonic() - began < 10
    assert len(now(index)) == 10


def test_users_that_do_not_fit_are_not_kept(store: SqlStore) -> None:
    """The question is rejected, and its memory is free again."""
    store.commit([many(3000)])
    index = UserIndex(store, "default")
    with pytest.raises(TooLarge):
        index.now(monotonic() + 60, 1000)
    assert index.size == 0
    assert len(now(index)) == 3000


def test_a_user_costs_about_a_hundred_bytes(store: SqlStore) -> None:
    """With ten attributes, two of which differ for everybody: what the documents say."""
    names = tuple(f"attribute {i}" for i in range(10))
    users = [
        Attributes(f"user-{i:07d}", names, [f"{i}@example.com", f"{i}", *("x", "y") * 4])
        for i in range(20_000)
    ]
    store.commit([entry(*users)])
    index = UserIndex(store, "default")
    now(index)
    assert 80 < index.size / 20_000 < 130


def test_an_erased_user_is_gone_from_memory(store: SqlStore) -> None:
    """Though the store does not say the id any more; and may come back."""
    store.commit([many(5), many(1, first=9)])
    index = UserIndex(store, "default")
    now(index)
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM users WHERE user_id = 'user 000003'")
        user_hash = store.user_hash("user 000003")
        store._statements.changes.erase(connection, "default", "user 000003", user_hash)
    assert sorted(now(index)) == [f"user {i:06d}" for i in (0, 1, 2, 4, 9)]
    store.commit([many(1, first=3, back="yes")])
    assert now(index)["user 000003"] == {"n": "3", "back": "yes"}


def test_a_index_behind_a_forgotten_log_reads_anew() -> None:
    """And so does one of which most users have changed."""

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


def test_a_change_that_is_told_again_is_passed_over() -> None:
    """As PostgreSQL does while an old transaction goes on; an erasure must not strike twice."""

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


def test_an_answer_has_everything_acknowledged_before_the_question(store: SqlStore) -> None:
    """While others write and ask."""
    segments = Segments(store, PLENTY)
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
            counts.append(segments.preview("default", EVERYBODY, None, 1).count - expected)

    counts: list[int] = []
    threads = [threading.Thread(target=work) for work in (write, ask, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) > 10
    assert min(counts) >= 0
    assert segments.preview("default", EVERYBODY, None, 1).count == 150


def test_first_and_last_seen_follow_every_upload(store: SqlStore) -> None:
    """Of samples too, which change no attribute."""
    segments = Segments(store, PLENTY)
    store.commit([entry(attributes("anna", a="1"), received_at=NOON)])
    wanted = msgspec.json.encode({"seen": "last", "op": "gt", "value": "2023-11-14T22:13:20Z"})
    assert segments.preview("default", wanted, None, 10).count == 0
    store.commit([entry(batch("anna", "x"), received_at=NOON + 1)])
    assert segments.preview("default", wanted, None, 10).count == 1


def test_projects_are_kept_apart_and_dropped_when_memory_is_short(store: SqlStore) -> None:
    """Those asked for longest ago first; asked for again, they are read again."""
    for project in ("a", "b", "c"):
        records = [attributes(f"{project} {i}", n=f"{i}") for i in range(1000)]
        store.commit([entry(*records, project=project)])
    pool = Pool(store, 100_000)
    for project in ("a", "b", "a", "c"):
        state = pool.now(project, monotonic() + 60)
        assert {name[0] for name in told(state)} == {project}
    assert pool.projects == ["a", "c"]
    assert len(told(pool.now("b", monotonic() + 60))) == 1000
    assert pool.projects == ["b", "c"]
    pool.drop_idle(0.0)
    assert pool.projects == []
    pool.close()

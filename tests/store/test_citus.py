"""The users of one node are written together, and what follows the writes waits for all nodes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from store.citus_stand_ins import distributed_database, stand_in
from uptake.diagnosis import diagnose
from uptake.model.acting import Act, acting
from uptake.settings import Settings
from uptake.store import citus, postgres
from uptake.store.base import StoreUnavailable, StoreUnusable
from uptake.store.citus import CitusStore
from uptake.store.records import Unchanged
from uptake.store.writes import SqlCommits
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import NOON, attributes, batch, entry, rejection

EVEN, ODD = "anna", "dora!"
"""Users of the first node and of the second."""


@pytest.fixture(scope="module")
def database(postgresql: Postgres) -> str:
    """A database that the store takes for a distributed one."""
    return distributed_database(postgresql, "citus_store")


@pytest.fixture(scope="module")
def store(database: str) -> Iterator[CitusStore]:
    """A store of it."""
    with closing(postgres.open_store(database)) as opened:
        assert isinstance(opened, CitusStore)
        yield opened


def test_the_users_of_each_node_are_a_part(store: CitusStore) -> None:
    """In the order of their entries."""
    entries = [entry(batch(user_id, "x")) for user_id in (EVEN, ODD, "bert", EVEN)]
    assert sorted(map(list, store.parts(entries))) == [[0, 2, 3], [1]]


def test_an_entry_with_users_of_several_nodes_joins_their_parts(store: CitusStore) -> None:
    """So that the entries of a user stay in order."""
    table = entry(attributes(EVEN, a="1"), attributes(ODD, a="1"))
    assert store.parts([entry(batch(EVEN, "x")), table, entry(batch(ODD, "x"))]) == [[0, 1, 2]]


def test_an_entry_without_users_joins_another(store: CitusStore) -> None:
    """Its receipt is written on the coordinator; a rejection without a user has a node."""
    assert store.parts([entry(), entry(batch(EVEN, "x")), entry(batch(ODD, "x"))]) == [[0, 1], [2]]
    without_user = entry(rejections=(rejection(),))
    assert sorted(map(list, store.parts([without_user, entry(batch(ODD, "x"))]))) == [[0], [1]]


def test_entries_of_one_user_need_no_query(store: CitusStore) -> None:
    """They are one part, wherever the user is."""
    assert store.parts([entry(batch(ODD, "x")), entry(batch(ODD, "y"))]) == [range(2)]


def test_the_nodes_of_users_are_remembered_until_a_commit_fails(
    store: CitusStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard that was moved is noticed later: until then, two nodes may be written together."""
    entries = [entry(batch(user_id, "x")) for user_id in (EVEN, ODD)]

    def fail(*_: object) -> None:
        raise StoreUnavailable("node:5432: connection refused")

    monkeypatch.setattr(SqlCommits, "commit", fail)
    assert sorted(map(list, store.parts(entries))) == [[0], [1]]
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        for node, parts in ((1, [[0, 1]]), (2, [[0], [1]])):
            before = sorted(map(list, store.parts(entries)))
            move = "UPDATE pg_dist_placement SET groupid = %s WHERE shardid = 1"
            connection.execute(move, (node,))
            assert sorted(map(list, store.parts(entries))) == before
            with pytest.raises(StoreUnavailable):
                store.commit(entries)
            assert sorted(map(list, store.parts(entries))) == parts


def test_each_connection_has_a_writer_slot(store: CitusStore) -> None:
    """Parts that are written at the same time do not wait for each other's commit number."""
    with store.writing() as one, store.writing() as two, store.writing() as three:
        assert len({store.writer(each).writer_slot for each in (one, two, three)}) > 1


@pytest.mark.parametrize("known", [True, False])
def test_a_folded_batch_is_recognised(store: CitusStore, database: str, *, known: bool) -> None:
    """By the end of the user's blocks; an earlier version did not store it."""
    user_id = f"folded {known}"
    first, second = (batch(user_id, name, NOON, NOON + 5) for name in "ab")
    store.commit([entry(first), entry(second)])
    store.fold("default", 2, lambda: False)
    end = "SELECT folded_until FROM users WHERE user_id = %s"
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        assert connection.execute(end, (user_id,)).fetchone() == (NOON + 6,)
        if not known:
            forget = "UPDATE users SET folded_until = NULL WHERE user_id = %s"
            connection.execute(forget, (user_id,))
    later = batch(user_id, "c", NOON + 7)
    outcomes = [one.written for one in store.commit([entry(first), entry(later)])]
    assert outcomes == [(Unchanged(),), (None,)]


@contextmanager
def _answering(database: str, success: str, result: str) -> Iterator[None]:
    """Have the nodes answer this while the block runs, after a commit on several of them."""
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("INSERT INTO pg_dist_transaction VALUES (1, 'citus_0_7_1_1')")
        connection.execute("UPDATE answers SET success = %s, result = %s", (success, result))
        try:
            yield
        finally:
            connection.execute("UPDATE answers SET success = true, result = ''")
            connection.execute("DELETE FROM pg_dist_transaction")


def test_exports_and_the_log_of_changes_wait_for_a_commit_on_several_nodes(
    store: CitusStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that has only prepared a transaction does not show its rows yet."""
    monkeypatch.setattr(citus, "SETTLE_SECONDS", 0.05)
    with _answering(database, "true", "citus_0_7_1_1"):
        with pytest.raises(StoreUnavailable, match="not finished"), store.snapshot("default"):
            pass
        with pytest.raises(StoreUnavailable, match="not finished"):
            store.changes("default", None)
    with store.snapshot("default"):
        pass


def test_a_node_that_cannot_be_read_is_reported(store: CitusStore, database: str) -> None:
    """Its users would be missing."""
    with (
        _answering(database, "false", "connection refused"),
        pytest.raises(StoreUnavailable, match="node:5432 cannot be read: connection refused"),
        store.snapshot("default"),
    ):
        pass


def test_a_store_that_was_opened_before_the_distribution_writes_nothing(
    postgresql: Postgres,
) -> None:
    """Its statements would be executed, but not as they are on one node."""
    url = postgresql.emptied("citus_opened_before")
    with closing(postgres.open_store(url)) as opened:
        stand_in(url)
        postgresql.disconnect("citus_opened_before")
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="was distributed: restart the server"):
                opened.commit([entry(attributes("42", a="1"))])


def test_a_database_with_misplaced_tables_is_not_opened(postgresql: Postgres) -> None:
    """A migration has created one, or an earlier version placed it elsewhere."""
    url = distributed_database(postgresql, "citus_misplaced")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("INSERT INTO pg_dist_partition VALUES ('marks', 'n', 't', NULL, 2)")
    with pytest.raises(StoreUnusable, match=r"\(marks\); run `uptake db distribute`"):
        postgres.open_store(url)


def test_misplaced_tables_are_reported_and_distributed_once(
    postgresql: Postgres, tmp_path: Path
) -> None:
    """By the doctor; the audit log has each table that was moved."""
    url = distributed_database(postgresql, "citus_distributed_again")
    settings = Settings(data_dir=tmp_path, database=url)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("INSERT INTO pg_dist_partition VALUES ('marks', 'n', 't', NULL, 2)")
        connection.execute("UPDATE answers SET result = 'fsync=off'")
    checks = [check for check in diagnose(settings) if check.name == "distribution"]
    assert [(check.status, check.found, check.action) for check in checks] == [
        ("fault", "marks is reference", "Run `uptake db distribute`."),
        ("fault", "one:5432 has fsync=off: set fsync = on", ""),
    ]
    with acting(Act("cli")):
        for moved in (["marks"], []):
            assert [name for name, _ in postgres.distribute(url)] == moved
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("UPDATE answers SET result = 'fsync=on'")
    (check,) = [check for check in diagnose(settings) if check.name == "distribution"]
    assert (check.status, check.found) == ("ok", "2 shards on 2 nodes")
    with closing(postgres.open_store(url)) as store:
        (logged,) = store.audit_chain(0, 10)
    assert (logged.actor, logged.action, logged.target) == ("cli", "database.distribute", "marks")

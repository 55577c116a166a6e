"""A connection to PostgreSQL that breaks, hangs or cannot be made harms one call, not the store."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest
import sqlalchemy

from uptake import circuit_breaker
from uptake.circuit_breaker import CircuitBreaker
from uptake.store import postgres, postgres_pipeline
from uptake.store.base import Store, StoreUnavailable, StoreUnusable
from uptake.store.database import streamed
from uptake.store.sql_store import SqlStore
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import NOON, attributes, batch, columns_of, document, entry

DATABASE = "connections"
WHOLE = "SELECT pid FROM pg_stat_activity WHERE datname = 'connections'"


@pytest.fixture
def store(postgresql: Postgres) -> Iterator[SqlStore]:
    """A store in which nothing is, with one connection."""
    with closing(postgres.open_store(postgresql.emptied(DATABASE))) as opened:
        yield opened


def _backends(server: Postgres) -> list[int]:
    return [pid for (pid,) in server.execute(WHOLE)]


def _batches(store: Store) -> list[bytes]:
    return columns_of(store, "anna")


def test_a_commit_waits_for_the_disk(store: SqlStore) -> None:
    """Of every connection, for reading and for writing."""
    for using in (store.reading, store.writing):
        with using() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_commit_waits_for_the_disk_where_others_do_not(postgresql: Postgres) -> None:
    """Whatever the database's default is."""
    address = postgresql.create("careless")
    postgresql.execute("ALTER DATABASE careless SET synchronous_commit = off")
    with closing(postgres.open_store(address)) as store, store.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_streamed_query_that_is_not_read_to_its_end_is_closed(store: SqlStore) -> None:
    """Without a warning of the driver, and the connection can be used again."""
    numbers = sqlalchemy.text("SELECT * FROM generate_series(1, 100)")
    with store.reading() as connection:
        for (number,) in streamed(connection, numbers, 2):
            if number == 3:
                break
        cursors = sqlalchemy.text("SELECT count(*) FROM pg_cursors")
        assert connection.execute(cursors).scalar_one() == 0


def test_readers_see_one_state_and_cannot_write(store: SqlStore) -> None:
    """Whatever is committed in between."""
    store.add_project("one", NOON)
    with store.reading() as connection:
        query = "SELECT name FROM projects ORDER BY name"
        before = connection.exec_driver_sql(query).all()
        store.add_project("two", NOON)
        assert connection.exec_driver_sql(query).all() == before
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on"
    assert store.projects() == ["default", "one", "two"]


def test_connections_that_were_closed_while_they_rested_are_noticed(
    postgresql: Postgres, store: SqlStore
) -> None:
    """No call fails because the server was restarted, or lost patience, since the last one."""
    for number in range(3):
        postgresql.disconnect(DATABASE)
        store.commit([entry(batch("anna", f"{number}"))])
        postgresql.disconnect(DATABASE)
        assert len(_batches(store)) == number + 1
        postgresql.disconnect(DATABASE)
        store.add_project(f"p{number}", NOON)


def test_a_connection_that_breaks_in_the_middle_fails_its_transaction_alone(
    postgresql: Postgres, store: SqlStore
) -> None:
    """Nothing of it is stored, and the next one is written."""

    def write() -> None:
        with store.writing() as connection:
            connection.exec_driver_sql("INSERT INTO projects VALUES ('lost', 1)")
            postgresql.disconnect(DATABASE)

    with pytest.raises(StoreUnavailable):
        write()
    assert store.projects() == ["default"]
    store.commit([entry(batch("anna", "x"))])
    assert _batches(store) == [b"x"]


def test_a_server_that_does_not_answer_is_given_up(
    postgresql: Postgres, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is let go of; what was sent is carried out or not, as a whole."""
    monkeypatch.setattr(postgres_pipeline, "WAIT_SECONDS", 0.5)
    store.commit([entry(batch("anna", "before"))])
    [backend] = _backends(postgresql)
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.5 seconds"):
            store.commit([entry(batch("anna", "between"), attributes("anna", a="1"))])
        store.commit([entry(batch("bert", "between"))])
    finally:
        os.kill(backend, signal.SIGCONT)
    while backend in _backends(postgresql):
        time.sleep(0.02)
    store.commit([entry(batch("anna", "after"))])
    user = store.user("default", "anna")
    assert user is not None
    assert (_batches(store), user.attributes) in (
        ([b"before", b"after"], {}),
        ([b"before", b"between", b"after"], {"a": "1"}),
    )


def test_a_group_larger_than_a_statement_is_one_transaction(store: SqlStore) -> None:
    """Documents of 50 MB in portions, in one commit and far beyond what a socket takes at once."""
    data = b'"' + b"x" * 3_999_998 + b'"'
    store.commit([entry(document("anna", f"{number}", data=data)) for number in range(13)])
    for number in range(13):
        stored = store.document("default", f"{number}")
        assert stored is not None
        assert stored.data == data


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that accepts no connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


def test_after_a_connection_timeout_the_next_connections_fail_at_once(
    black_hole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt fails after seconds, later ones at once while the circuit is open."""
    # A busy machine may take longer than the circuit stays open to try again.
    monkeypatch.setattr(circuit_breaker, "OPEN_SECONDS", 60.0)
    circuit = CircuitBreaker(psycopg.OperationalError, ignore_fast=True)
    times = []
    for _ in range(3):
        began = time.monotonic()
        address = f"postgresql://x@127.0.0.1:{black_hole}/x?connect_timeout=2"
        with monkeypatch.context() as patched:
            patched.setattr(postgres, "CircuitBreaker", lambda *_, **__: circuit)
            with pytest.raises(StoreUnusable, match="timeout expired"):
                postgres.open_store(address)
        times.append(time.monotonic() - began)
    assert times[0] > 1
    assert max(times[1:]) < 1

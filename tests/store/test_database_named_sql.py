"""The named statements of each engine can be explained, and find rows by their keys."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from uptake.store import postgres_writer, sqlite
from uptake.store.database import PARAMETER, load
from uptake.store.sql_store import SqlStore
from uptake.store.tables import metadata
from uptake.testing.postgres import Postgres

DATABASE = "explained"


@pytest.fixture(scope="module")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A new database of SQLite."""
    with closing(sqlite.open_store(tmp_path_factory.mktemp("named") / "uptake.db")) as store:
        yield store


@pytest.fixture(scope="module")
def session(postgresql: Postgres) -> Iterator["psycopg.Connection[Any]"]:
    """A session with a new database of PostgreSQL, which avoids scans of whole tables."""
    with psycopg.connect(postgresql.emptied(DATABASE), autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def test_both_engines_have_the_same_statements() -> None:
    """For PostgreSQL alone are the lock that many writers share, and a setting of its planner."""
    only_postgresql = {"share_erasure_locks", "read_in_order"}
    assert set(load("postgresql")) - set(load("sqlite")) == only_postgresql
    assert set(load("sqlite")) <= set(load("postgresql"))


@pytest.mark.parametrize("name", sorted(load("sqlite")))
def test_a_statement_of_sqlite_scans_no_table(sqlite_store: SqlStore, name: str) -> None:
    """Every row that it reads is found by a key."""
    text = load("sqlite")[name]
    parameters = dict.fromkeys(re.findall(PARAMETER, text))
    with sqlite_store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]
    scanned = {match[1] for step in plan if (match := re.match(r"SCAN (\w+)", step))}
    assert not scanned & set(metadata.tables), plan


@pytest.mark.parametrize("name", sorted(load("postgresql")))
def test_a_statement_of_postgresql_scans_no_table(
    session: "psycopg.Connection[Any]", name: str
) -> None:
    """Every row that it reads is found by a key."""
    statement = postgres_writer.statements(0)[name]
    session.execute(b"PREPARE " + name.encode() + b" AS " + statement.text)
    nulls = ", ".join(["NULL"] * len(statement.types))
    arguments = f"({nulls})" if nulls else ""
    explained = session.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{arguments}".encode())
    row = explained.fetchone()
    assert row is not None
    plan = json.dumps(row[0])
    assert "Seq Scan" not in plan, plan
    if "DO UPDATE" in load("postgresql")[name]:
        assert "Conflict Arbiter Indexes" in plan


def test_a_statement_that_scans_is_noticed(session: "psycopg.Connection[Any]") -> None:
    """The test above would fail for a condition without an index."""
    explained = session.execute("EXPLAIN (FORMAT JSON) SELECT 1 FROM receipts WHERE code = 'x'")
    assert "Seq Scan" in json.dumps(explained.fetchone())


def test_the_package_has_the_statements() -> None:
    """Whichever way it is installed: the files are part of the package."""
    folder = Path(sqlite.__file__).parent / "sql"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["citus.sql", "postgresql.sql", "sqlite.sql"]

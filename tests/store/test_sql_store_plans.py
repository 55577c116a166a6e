"""The queries of lists find their rows by an index, and in its order."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from uptake.store import postgres, sqlite
from uptake.store.sql_store import SqlStore
from uptake.store.stored import DocumentFilter
from uptake.testing.postgres import Postgres

QUERIES: dict[str, Callable[[SqlStore], object]] = {
    "users": lambda store: store.users("default", "", "x", 10),
    "users with a prefix": lambda store: store.users("default", "x", "", 10),
    "documents": lambda store: store.documents("default", "anna", DocumentFilter(), "x", 10),
    "documents of a type": lambda store: store.documents(
        "default", "anna", DocumentFilter("diary", 1, 2), "x", 10
    ),
}


def _statement(store: SqlStore, query: Callable[[SqlStore], object]) -> tuple[str, Any]:
    """The statement of a query, and its parameters."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        found.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    query(store)
    return next(one for one in found if one[0].startswith("SELECT"))


@pytest.mark.parametrize("name", QUERIES)
def test_sqlite_searches_an_index_in_its_order(tmp_path: Path, name: str) -> None:
    """It neither scans the table nor sorts the rows."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        statement, parameters = _statement(store, QUERIES[name])
        with store.reading() as connection:
            explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            (step,) = explained.all()
    assert step[3].startswith("SEARCH"), step
    assert "user_id" in step[3]


def test_postgresql_searches_indexes(postgresql: Postgres) -> None:
    """Scans of whole tables are marked as expensive, because the tables are empty."""
    url = postgresql.emptied("plans")
    with closing(postgres.open_store(url)) as store:
        statements = [_statement(store, query) for query in QUERIES.values()]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        for statement, parameters in statements:
            explain = f"EXPLAIN (FORMAT JSON) {statement}".encode()
            plan = json.dumps(connection.execute(explain, parameters).fetchone())
            assert "Seq Scan" not in plan
            assert "Index" in plan

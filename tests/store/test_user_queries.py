"""Pages of users are read in order by an index, and have a limited size."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from store.engines import ENGINES, new_database
from uptake.store import sqlite
from uptake.store.database import load
from uptake.store.sql_store import SqlStore
from uptake.testing.store.making import attributes, put
from uptake.testing.store.user_queries import by_user


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A new database on each engine."""
    with closing(new_database(request, tmp_path)()) as opened:
        yield opened


def test_a_page_of_large_attributes_has_fewer_users(store: SqlStore) -> None:
    """So that a few pages of any users fit into memory."""
    large = {f"name {i}": "x" * 1000 for i in range(100)}
    for start in range(0, 800, 100):
        users = range(start, start + 100)
        put(store, *(attributes(f"user {i:05d}", **large) for i in users))
    sizes, count = [], 0
    for page in store.profiles("default", "", 800, seen=True):
        sizes.append(sum(len(one.values) for one in page))
        count += len(by_user(page))
    assert count == 800
    assert sum(sizes) > 80_000_000
    assert max(sizes[1:]) < 5_000_000


def test_pages_are_read_by_the_index_that_has_their_order(store: SqlStore) -> None:
    """Also if the database has no statistics about the table."""
    put(store, *(attributes(f"user {i:05d}", n="1") for i in range(2000)))
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "LIMIT" in statement:
            statements.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    assert (
        sum(len(by_user(page)) for page in store.profiles("default", "", 8000, seen=True)) == 2000
    )
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN (FORMAT JSON)"}
    with store.reading() as connection:
        if store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql(load("postgresql")["read_in_order"])
        for statement, parameters in tuple(statements):
            asked = f"{explain[store.engine.dialect.name]} {statement}"
            rows = connection.exec_driver_sql(asked, parameters).all()
            plan = json.dumps([tuple(row) for row in rows])
            if store.engine.dialect.name == "sqlite":
                assert "SEARCH users USING PRIMARY KEY (project_id=? AND user_id>?)" in plan
            else:
                assert re.search("Index (Only )?Scan", plan)
                assert "Seq Scan" not in plan
                assert "Bitmap" not in plan


def test_a_connection_has_its_cache_again_after_a_scan(tmp_path: Path) -> None:
    """On SQLite; also if the scan ends before the last page."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        put(store, *(attributes(f"user {i:05d}", n="1") for i in range(20)))
        sizes = []
        for count in (1, 20):
            pages = store.profiles("default", "", 5, seen=True)
            assert all(by_user(page) for page in islice(pages, count))
            pages.close()
            with store.reading() as connection:
                sizes.append(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())
        assert sizes == [-sqlite.CACHE_KIB] * 2

"""The log of changes is bounded, and does not name erased users."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from uptake.store import sqlite, tables
from uptake.store.changes import LOG_BYTES, ROW_BYTES, ChangeLog
from uptake.store.sql_store import SqlStore
from uptake.testing.store.making import attributes, entry
from uptake.testing.store.user_queries import MANY, changed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A new database."""
    opened = sqlite.open_store(tmp_path / "uptake.db")
    yield opened
    opened.close()


def log(store: SqlStore, *columns: Any) -> list[Any]:
    """What the table of changes holds."""
    with store.reading() as connection:
        return list(connection.execute(select(*columns).select_from(tables.changes)))


def test_the_log_is_pruned_to_its_limit(store: SqlStore) -> None:
    """However much is written, in one process or several; a truncated log is reported."""
    _, start = changed(store, None)
    _, other = changed(store, None, "other")
    store.commit([entry(attributes("anna", a="1"), project="other")])
    for page in range(8):
        names = [f"{page} {i:05d} ".ljust(256, "x") for i in range(MANY)]
        store.commit([entry(*(attributes(name) for name in names))])
    [(size, rows)] = log(store, func.sum(func.length(tables.changes.c.users)), func.count())
    assert size < LOG_BYTES * 9 // 8 + MANY * 260
    assert rows <= 8
    assert store.changes("default", start) is None
    assert changed(store, other, "other")[0] == {"anna"}
    _, following = changed(store, None)
    store.commit([entry(attributes("last", a="1"))])
    assert changed(store, following)[0] == {"last"}


def test_rows_with_few_users_are_pruned_too(store: SqlStore) -> None:
    """A row has its size, even if it names one user only."""
    store.commit([entry(attributes("anna", a="1"))])
    [(size,)] = log(store, tables.changes.c.size)
    assert size == ROW_BYTES + len('["anna"]')


def test_the_log_does_not_name_an_erased_user(store: SqlStore) -> None:
    """Only as a digest, by which readers can forget the user."""
    _, start = changed(store, None)
    store.commit([entry(attributes("anna", a="1"), attributes("bert", a="1"))])
    store.commit([entry(attributes("bert", a="2"))])
    store.commit([entry(attributes("anna", a="1"), project="other")])
    with store.writing() as connection:
        writer = store.writer(connection)
        ChangeLog().erase(connection, writer, "default", "anna", "a hash")
    answer = store.changes("default", start)
    assert answer is not None
    assert [change.users for change in answer.changes] == [["bert"], ["bert"], []]
    assert [change.erased for change in answer.changes] == [[], [], ["a hash"]]
    assert changed(store, 1, "other")[0] == {"anna"}


def test_a_restored_database_is_noticed(store: SqlStore, tmp_path: Path) -> None:
    """A reader that is ahead of the log starts again."""
    store.commit([entry(attributes("anna", a="1"))])
    _, following = changed(store, None)
    empty = sqlite.open_store(tmp_path / "other.db")
    assert empty.changes("default", following) is None
    empty.close()

"""The log of changes is bounded, and does not name erased users."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from store.engines import ENGINES, new_database
from uptake.store import changes, sqlite, tables
from uptake.store.changes import LOG_BYTES, ROW_BYTES, ChangeLog
from uptake.store.sql_store import SqlStore
from uptake.testing.store.concurrency import THREADS, at_once
from uptake.testing.store.making import NOON, attributes, entry, existing
from uptake.testing.store.user_queries import MANY, changed

MERGED = 8 * 1024
"""Bytes after which these tests have rows merged."""

COMMITS = 24
"""Of each of the many writers: each of two processes then merges rows."""


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


@pytest.fixture(params=ENGINES)
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], SqlStore]]:
    """Opens a new database, however often; its log is soon merged."""
    monkeypatch.setattr(changes, "MERGE_BYTES", MERGED)
    database = new_database(request, tmp_path)
    with ExitStack() as stores:
        yield lambda: stores.enter_context(closing(database()))


def test_rows_are_merged(opened: Callable[[], SqlStore]) -> None:
    """Readers find each user, wherever they continue; the newest rows stay as they are."""
    store = opened()
    positions, users = [], []
    for number in range(MERGED // 16):
        positions.append(changed(store, None)[1])
        users.append(f"user {number % 7}" if number % 50 else f"rare {number}")
        store.commit([entry(attributes(users[-1], a=f"{number}"))])
        if number == 9:
            store.erase("default", "rare 0", "e-1", NOON)
    [(count, size)] = log(store, func.count(), func.sum(tables.changes.c.size))
    assert count < 3 * MERGED / ROW_BYTES
    assert size < 4 * MERGED
    users.remove("rare 0")
    del positions[0]
    for at in range(0, len(users), 97):
        assert set(users[at:]) <= changed(store, positions[at])[0]
    erased = existing(store.changes("default", positions[0])).changes
    assert store.user_hash("rare 0") in {name for one in erased for name in one.erased}
    assert "rare 0" not in changed(store, positions[0])[0]
    store.erase("default", "user 3", "e-2", NOON)
    assert "user 3" not in changed(store, positions[0])[0]
    # A reader that was up to date a moment ago reads only what came since.
    assert changed(store, positions[-3])[0] == set(users[-3:]) - {"user 3"}


def test_many_writers_merge_one_log(opened: Callable[[], SqlStore]) -> None:
    """No user is lost, and no two writers wait for each other."""
    first, second = opened(), opened()
    _, start = changed(first, None)

    def write(number: int) -> None:
        for i in range(COMMITS):
            name = f"user {number * 31 + i}"
            (first, second)[number % 2].commit([entry(attributes(name, a=f"{number} {i}"))])

    at_once(write)
    assert changed(first, start)[0] == {
        f"user {number * 31 + i}" for number in range(THREADS) for i in range(COMMITS)
    }
    [(count,)] = log(first, func.count())
    assert count < COMMITS * THREADS


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

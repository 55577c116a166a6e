"""Pages of users on PostgreSQL are read by several connections."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, event

from uptake.store import postgres
from uptake.store.base import StoreUnavailable
from uptake.store.sql_store import SqlStore
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import attributes, put
from uptake.testing.store.user_queries import all_of, by_user

DATABASE = "profiles"
NAMES = [f"user {i:05d}" for i in range(2000)]


@pytest.fixture
def store(postgresql: Postgres) -> Iterator[SqlStore]:
    """A store with users."""
    with closing(postgres.open_store(postgresql.emptied(DATABASE))) as opened:
        put(opened, *(attributes(name, n="1") for name in NAMES))
        yield opened


def test_few_users_are_read_by_one_connection(store: SqlStore) -> None:
    """Several pages are read by two others, while it finds where pages begin."""
    used: set[int] = set()

    def note(connection: Connection, *_: object) -> None:
        used.add(id(connection.connection.driver_connection))

    event.listen(store.engine, "before_cursor_execute", note)
    assert (
        sorted(by_user(all_of(store.profiles("default", NAMES[-10], 500, seen=True))))
        == (NAMES[-9:])
    )
    assert len(used) == 1
    used.clear()
    assert sorted(by_user(all_of(store.profiles("default", "", 500, seen=True)))) == NAMES
    assert len(used) == 3


@pytest.mark.parametrize("limit", [1, 7, 500, 1999, 2000, 2001])
def test_every_user_is_in_one_page(store: SqlStore, limit: int) -> None:
    """Whether the last page is full or not, in order, and no page is empty."""
    after = NAMES[-20] if limit < 10 else ""
    pages = [sorted(by_user(page)) for page in store.profiles("default", after, limit, seen=True)]
    assert all(1 <= len(page) <= limit for page in pages)
    assert [name for page in pages for name in page] == [name for name in NAMES if name > after]


def test_connections_that_are_lost_between_pages_fail_the_query(
    postgresql: Postgres, store: SqlStore
) -> None:
    """The next query opens others."""
    pages = store.profiles("default", "", 10, seen=True)
    assert len(by_user(next(pages))) == 10
    postgresql.disconnect(DATABASE)
    with pytest.raises(StoreUnavailable):
        list(pages)
    assert sorted(by_user(all_of(store.profiles("default", "", 500, seen=True)))) == NAMES

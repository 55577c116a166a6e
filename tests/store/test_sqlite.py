"""SQLite passes the conformance suite of stores."""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from store.engines import open_sqlite
from uptake.store import sqlite
from uptake.store.base import Store, StoreUnusable
from uptake.store.sql_store import SqlStore
from uptake.store.sqlite_store import WriterLock
from uptake.testing.store import DurableStoreConformance
from uptake.testing.store.making import OpensStore

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "page_size": 4096}


class OpensSqlite(OpensStore):
    """How a store on SQLite is opened and broken."""

    def open_store(self, place: Path) -> SqlStore:
        """A file in the folder."""
        return open_sqlite(place / "uptake.db")

    @contextmanager
    def out_of_reach(self, store: Store, place: Path) -> Iterator[None]:
        """Replace the file with a folder, as when the disk is gone."""
        assert isinstance(store, SqlStore)
        store.dispose()
        away, path = place / "away", place / "uptake.db"
        path.rename(away)
        path.mkdir()
        try:
            yield
        finally:
            path.rmdir()
            away.rename(path)

    @contextmanager
    def unwritable(self, store: Store, place: Path) -> Iterator[None]:
        """The disk is full: the log, where every commit goes, cannot grow."""
        del store
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        full = (place / "uptake.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestSqliteStore(OpensSqlite, DurableStoreConformance):
    """All ports."""


def engine(store: Store) -> Any:
    """What a store on SQL does its work with."""
    assert isinstance(store, SqlStore)
    return store.engine


@pytest.mark.parametrize("pragma", PRAGMAS)
def test_every_connection_waits_for_the_disk(tmp_path: Path, pragma: str) -> None:
    """A commit that returns has been synced: full synchronisation of a write-ahead log."""
    store = sqlite.open_store(tmp_path / "uptake.db")
    with store.reading() as connection:
        found = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
    store.close()
    assert PRAGMAS[pragma] == found


def test_threads_write_in_the_order_in_which_they_wait(tmp_path: Path) -> None:
    """One that writes again and again does not keep the others from writing."""
    lock = WriterLock(tmp_path / "lock")
    order: list[str] = []

    def write(name: str, times: int) -> None:
        for _ in range(times):
            with lock.held():
                order.append(name)

    threads = [threading.Thread(target=write, args=one) for one in (("again", 3), ("once", 1))]
    with lock.held():
        for number, thread in enumerate(threads, 1):
            thread.start()
            # With the turn of this thread, which holds the lock.
            while len(lock._turns) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    lock.close()
    assert order == ["again", "once", "again", "again"]


def test_a_database_without_its_lock_file_is_closed(tmp_path: Path) -> None:
    """No file of the folder stays open, even while the error is handled."""
    (tmp_path / "uptake.db.lock").mkdir()
    with pytest.raises(StoreUnusable, match=r"uptake\.db: ") as raised:
        open_sqlite(tmp_path / "uptake.db")
    assert raised.value
    assert [path for path in _open_files() if path.is_relative_to(tmp_path)] == []


def _open_files() -> list[Path]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor that lists the folder
            found.append(descriptor.readlink())
    return found

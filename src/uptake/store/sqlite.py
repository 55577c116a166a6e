"""Opens SQLite: one file, write-ahead log, every commit synced to disk."""

import time
from pathlib import Path
from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as Driver
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import event

from uptake.store import migrations
from uptake.store.base import NoDatabase, StoreUnusable
from uptake.store.facts import DatabaseFacts, sqlite_facts
from uptake.store.sql_store import SqlStore
from uptake.store.sqlite_store import (
    BUSY_SECONDS,
    STATEMENTS,
    DatabaseFile,
    SqliteStore,
    begin,
)

if TYPE_CHECKING:
    from uptake.store.contents import SqlContents

BUSY_PAUSE_SECONDS = 0.01
"""Pause between attempts if SQLite itself does not wait."""

PAGE_BYTES = 4096
"""A small batch changes a few rows on as many pages, and whole pages go to the log: with pages of
8192 bytes it takes a quarter more processor time, and a large batch no less."""

CHECKPOINT_PAGES = 4096
"""Pages in the log before a checkpoint: 16 MiB. The commit that reaches it waits for about 20 ms. A
larger log makes that wait noticeable, a smaller one writes hot pages more often."""

CACHE_KIB = 65536


def open_store(path: Path, *, make: bool = True) -> SqlStore:
    """Open a database file, and migrate it.

    Args:
        path: the file.
        make: whether to create it if it does not exist.

    Raises:
        NoDatabase: it does not exist, and `make` is false.
        StoreUnusable: it cannot be opened or written, or was written by a newer version.
    """
    file = _open_file(path, make=make)
    engine = _open_engine(file, path)
    try:
        _migrate(engine, path, make=make)
        return SqliteStore(engine, file)
    except BaseException:
        engine.dispose()
        raise


def _migrate(engine: sqlalchemy.Engine, path: Path, *, make: bool) -> None:
    try:
        migrations.upgrade(engine, make=make)
    except sqlalchemy.exc.DBAPIError as error:
        raise StoreUnusable(f"{path}: {error.orig}") from error
    except StoreUnusable as error:
        raise type(error)(f"{path}: {error}") from error


def open_contents(path: Path, *, make: bool = False) -> "SqlContents":
    """Open a database file as it is, without migrations.

    Args:
        path: the file.
        make: whether to create an empty one if it does not exist.

    Raises:
        NoDatabase: it does not exist, and `make` is false.
        StoreUnusable: it cannot be created.
    """
    # Imports Alembic, which takes as long to load as the rest.
    from uptake.store.contents import SqlContents  # noqa: PLC0415

    return SqlContents(_open_engine(_open_file(path, make=make), path))


def inspect(path: Path) -> DatabaseFacts:
    """Read the facts about a database file, without migrations.

    Raises:
        NoDatabase: it does not exist.
        StoreUnusable: it cannot be read.
    """
    engine = _open_engine(_open_file(path, make=False), path)
    try:
        with engine.connect() as connection:
            return sqlite_facts(connection)
    except sqlalchemy.exc.DBAPIError as error:
        raise StoreUnusable(f"{path}: {error.orig}") from error
    finally:
        engine.dispose()


def _open_file(path: Path, *, make: bool) -> DatabaseFile:
    file = DatabaseFile(path)
    if make:
        file.make()
    elif file.identity() is None:
        raise NoDatabase(f"{path}: the file does not exist")
    return file


def _open_engine(file: DatabaseFile, path: Path) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        # `mode=rw`: opening does not create a file, so a removed file is noticed.
        sqlalchemy.URL.create(
            "sqlite",
            database=f"file:{quote(str(path))}",
            query={"mode": "rw", "uri": "true"},
        ),
        connect_args={
            "timeout": BUSY_SECONDS,
            "check_same_thread": False,
            "cached_statements": STATEMENTS,
        },
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "connect", file.remember)
    event.listen(engine, "checkout", file.check)
    event.listen(engine, "begin", begin)
    return engine


def _on_connect(connection: Driver, _record: Any) -> None:
    # The driver does not begin transactions: `begin` does.
    connection.isolation_level = None
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}").close()
    _begin_log(connection)
    for pragma in (
        "synchronous = FULL",
        # Overwrite deleted rows, which is not the default of every build of SQLite.
        "secure_delete = ON",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"cache_size = -{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_log(connection: Driver) -> None:
    """Turn the write-ahead log on. SQLite does not wait for other processes here, so retry."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(BUSY_PAUSE_SECONDS)
        else:
            return


_PRIMARY = 0xFF
"""Bits of an extended error code that are the primary code (sqlite.org/rescode)."""

"""SQLite: one file, write-ahead log, every commit synced to disk."""

from pathlib import Path
from sqlite3 import Connection as Driver
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, event

from uptake.store import migrations
from uptake.store.base import StoreUnusable
from uptake.store.database import WRITES
from uptake.store.sql import SqlStore

BUSY_SECONDS = 30
"""How long a writer waits for another process to finish its transaction."""

PAGE_BYTES = 8192
"""Profiles of 50 attributes stay on one page; larger pages win nothing (measured)."""

CHECKPOINT_PAGES = 8192
"""Pages in the log before it is folded into the file: 64 MiB, so hot pages are written once."""

CACHE_KIB = 65536


def open_store(path: Path) -> SqlStore:
    """Open a database file, made or brought up to date where needed.

    Raises:
        StoreUnusable: it cannot be opened or written, or was written by a newer version.
    """
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    try:
        migrations.upgrade(engine)
    except sqlalchemy.exc.DBAPIError as error:
        engine.dispose()
        raise StoreUnusable(f"{path}: {error.orig}") from error
    except StoreUnusable as error:
        engine.dispose()
        raise StoreUnusable(f"{path}: {error}") from error
    return SqlStore(engine)


def _on_connect(connection: Driver, _record: Any) -> None:
    # The driver's own idea of when to begin is switched off: `_on_begin` says it.
    connection.isolation_level = None
    for pragma in (
        f"page_size = {PAGE_BYTES}",
        "journal_mode = WAL",
        "synchronous = FULL",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"cache_size = -{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

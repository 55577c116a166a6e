"""SQLite: one file, write-ahead log, every commit synced to disk."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as Driver
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import Connection, event

from uptake.store import migrations
from uptake.store.base import StoreUnavailable, StoreUnusable
from uptake.store.database import WRITES, Result, Writer, driver_translated, translated
from uptake.store.definitions import RetentionRule
from uptake.store.named_sql import load
from uptake.store.sql_store import SqlStore
from uptake.store.sqlite_writer import SqliteWriter
from uptake.store.stored import Erasure, Expired

if TYPE_CHECKING:
    from uptake.store.contents import SqlContents

BUSY_SECONDS = 30
"""Time limit of waiting for the transaction of another process."""

BUSY_PAUSE_SECONDS = 0.01
"""Pause between attempts if SQLite itself does not wait."""

PAGE_BYTES = 4096
"""A small batch changes a few rows on as many pages, and whole pages go to the log: with pages of
8192 bytes it takes a quarter more processor time, and a large batch no less."""

CHECKPOINT_PAGES = 4096
"""Pages in the log before a checkpoint: 16 MiB. The commit that reaches it waits for about 20 ms. A
larger log makes that wait noticeable, a smaller one writes hot pages more often."""

SCRUB_SECONDS = 0.25
"""Time that `scrub` waits for readers while writers wait for it. `scrub` is called again while a
longer reader, such as an export, is active."""

MAX_VACUUMED_BYTES = 64 * 1024 * 1024
"""Largest file that `scrub` vacuums, which takes about a second while writers wait. For a larger
one an operator chooses the time."""

CACHE_KIB = 65536
PRIVATE = 0o600
"""Mode of the files: they hold data of users. SQLite gives the log and its index the same."""

LOCK_SUFFIX = ".lock"
"""Suffix of the lock file of writers."""


def open_store(path: Path) -> SqlStore:
    """Open a database file. Creates or migrates it if needed.

    Raises:
        StoreUnusable: it cannot be opened or written, or was written by a newer version.
    """
    file = _DatabaseFile(path)
    file.make()
    engine = _open_engine(file, path)
    try:
        migrations.upgrade(engine)
    except sqlalchemy.exc.DBAPIError as error:
        engine.dispose()
        raise StoreUnusable(f"{path}: {error.orig}") from error
    except StoreUnusable as error:
        engine.dispose()
        raise StoreUnusable(f"{path}: {error}") from error
    return _SqliteStore(engine, file)


def open_contents(path: Path, *, make: bool = False) -> "SqlContents":
    """Open a database file as it is, without migrations.

    Args:
        path: the file.
        make: whether to create an empty one if it does not exist.

    Raises:
        StoreUnusable: it does not exist, or cannot be created.
    """
    # Imports Alembic, which takes as long to load as the rest.
    from uptake.store.contents import SqlContents  # noqa: PLC0415

    file = _DatabaseFile(path)
    if make:
        file.make()
    elif file.identity() is None:
        raise StoreUnusable(f"{path}: there is no such database")
    return SqlContents(_open_engine(file, path))


def _open_engine(file: "_DatabaseFile", path: Path) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        # `mode=rw`: opening does not create a file, so a removed file is noticed.
        sqlalchemy.URL.create(
            "sqlite",
            database=f"file:{quote(str(path))}",
            query={"mode": "rw", "uri": "true"},
        ),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "connect", file.remember)
    event.listen(engine, "checkout", file.check)
    event.listen(engine, "begin", _on_begin)
    return engine


class _DatabaseFile:
    """The path of a database file, and whether it is still the file that was opened.

    SQLite continues to write to a file that was removed or replaced, and the data is lost when the
    last process closes it. (Its own check is off when there is a write-ahead log.)
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> None:
        """Create an empty file if it does not exist."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE))
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror or error}") from error

    def identity(self) -> tuple[int, int] | None:
        """Return device and inode of the file, or None if it does not exist."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def size(self) -> int:
        """Return the bytes of the file, or 0 if it does not exist."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def remember(self, _connection: Driver, record: Any) -> None:
        """Remember which file a new connection has opened."""
        record.info[_IDENTITY] = self.identity()

    def check(self, _connection: Driver, record: Any, _proxy: Any) -> None:
        """Replace a connection if its file was removed or replaced."""
        if record.info[_IDENTITY] != self.identity():
            raise sqlalchemy.exc.DisconnectionError(f"{self._path} was removed or replaced")

    def writer_lock(self) -> "_WriterLock":
        """Return the lock of the processes that write to the file."""
        try:
            return _WriterLock(self._path.with_name(self._path.name + LOCK_SUFFIX))
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror or error}") from error


_IDENTITY = "file"


class _WriterLock:
    """A lock among the processes and threads that write to a file.

    SQLite itself polls with growing pauses, so that of two busy processes one waits for seconds.
    The operating system wakes the next waiter of this lock at once.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE), "ab")
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self._file.close()


class _SqliteStore(SqlStore):
    """Acknowledges a write only if the file is still the one that the next start opens."""

    def __init__(self, engine: sqlalchemy.Engine, file: _DatabaseFile) -> None:
        super().__init__(engine)
        self._file = file
        self._writer_lock = file.writer_lock()
        # True at first: an earlier process may have ended before it emptied the log.
        self._log_holds_deleted = True
        self._pages_hold_deleted = False

    def writer(self, connection: Connection) -> SqliteWriter:
        """See `Database.writer`."""
        return SqliteWriter(connection)

    def tombstone_changes(self, writer: Writer, projects: Collection[str]) -> Result:
        """See `SqlErasures.tombstone_changes`."""
        rows = [{"project_id": project} for project in projects]
        return writer.run("tombstone_changes", rows, every=False)

    def next_change(self, connection: Connection, project: str) -> int:
        """See `SqlChangeFeed.next_change`."""
        query = sqlalchemy.text(load("sqlite")["next_change"])
        return int(connection.execute(query, {"project_id": project}).scalar_one())

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`."""
        with self._writer_lock.held(), super().writing() as connection:
            opened = connection.info[_IDENTITY]
            yield connection
        if opened != self._file.identity():
            raise StoreUnavailable("the database file was removed or replaced")

    def erase(self, project: str, user_id: str, erasure_id: str, moment: int) -> Erasure:
        """See `Erasures.erase`."""
        erasure = super().erase(project, user_id, erasure_id, moment)
        self._log_holds_deleted = self._pages_hold_deleted = True
        return erasure

    def expire(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> Expired:
        """See `Retention.expire`."""
        expired = super().expire(project, rule, before, after, limit)
        if expired.count:
            self._log_holds_deleted = self._pages_hold_deleted = True
        return expired

    def scrub(self, *, thorough: bool) -> None:
        """See `Erasures.scrub`.

        Moves the log, which has older versions of pages, into the file, and empties it. Deleted
        rows are overwritten, but pages that were split before may have copies of them: therefore a
        small file is vacuumed.
        """
        vacuum = thorough and self._pages_hold_deleted and self._file.size() <= MAX_VACUUMED_BYTES
        if not self._log_holds_deleted and not vacuum:
            return
        past = driver_translated(sqlite3)
        with translated(), past, self._writer_lock.held(), self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            if vacuum:
                driver.execute("PRAGMA temp_store = MEMORY").close()
                driver.execute("VACUUM").close()
                driver.execute("PRAGMA temp_store = DEFAULT").close()
            driver.execute(f"PRAGMA busy_timeout = {int(SCRUB_SECONDS * 1000)}").close()
            try:
                busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}").close()
        self._log_holds_deleted = bool(busy)
        if vacuum:
            self._pages_hold_deleted = False

    def close(self) -> None:
        """See `Installation.close`."""
        super().close()
        self._writer_lock.close()


def _on_connect(connection: Driver, _record: Any) -> None:
    # The driver does not begin transactions: `_on_begin` does.
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


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

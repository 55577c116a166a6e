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
"""How long a writer waits for another process to finish its transaction."""

BUSY_PAUSE_SECONDS = 0.01
"""How long to pause where SQLite itself does not wait."""

PAGE_BYTES = 4096
"""A small batch changes a few rows on as many pages, each of which goes to the log as a whole: with
pages of 8192 bytes writing it takes a quarter more processor time, and a large one no less."""

CHECKPOINT_PAGES = 4096
"""Pages in the log before it is folded into the file: 16 MiB, which whoever commits then waits for
about 20 ms. With more, that wait would show; with less, hot pages would be written more often."""

SCRUB_SECONDS = 0.25
"""How long `scrub` waits for readers, which keeps writers waiting. A longer one, an export for
instance, is waited for by trying again."""

MAX_VACUUMED_BYTES = 64 * 1024 * 1024
"""Size of a file that `scrub` writes anew, which takes about a second and writers wait for; of a
larger one an operator chooses the time."""

VACUUM_PAUSE_SECONDS = 60.0
"""How long the next writing anew waits, so that many erasures do not keep writers waiting."""

CACHE_KIB = 65536
PRIVATE = 0o600
"""Mode of the files: they hold data of users. SQLite gives the log and its index the same."""

LOCK_SUFFIX = ".lock"
"""What is appended to the database's name for the file that writers take turns by."""


def open_store(path: Path) -> SqlStore:
    """Open a database file, made or brought up to date where needed.

    Raises:
        StoreUnusable: it cannot be opened or written, or was written by a newer version.
    """
    place = _Place(path)
    place.make()
    engine = _open_engine(place, path)
    try:
        migrations.upgrade(engine)
    except sqlalchemy.exc.DBAPIError as error:
        engine.dispose()
        raise StoreUnusable(f"{path}: {error.orig}") from error
    except StoreUnusable as error:
        engine.dispose()
        raise StoreUnusable(f"{path}: {error}") from error
    return _SqliteStore(engine, place)


def open_contents(path: Path, *, make: bool = False) -> "SqlContents":
    """Open a database file as it is, without bringing it up to date.

    Args:
        path: the file.
        make: whether to make an empty one where there is none.

    Raises:
        StoreUnusable: there is none, or it cannot be made.
    """
    # It needs what runs migrations, which takes as long to load as the rest.
    from uptake.store.contents import SqlContents  # noqa: PLC0415

    place = _Place(path)
    if make:
        place.make()
    elif place.identity() is None:
        raise StoreUnusable(f"{path}: there is no such database")
    return SqlContents(_open_engine(place, path))


def _open_engine(place: "_Place", path: Path) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        # Never made by opening it: a file that has gone is missed, not begun anew.
        sqlalchemy.URL.create(
            "sqlite",
            database=f"file:{quote(str(path))}",
            query={"mode": "rw", "uri": "true"},
        ),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "connect", place.remember)
    event.listen(engine, "checkout", place.check)
    event.listen(engine, "begin", _on_begin)
    return engine


class _Place:
    """Where a database file lies, and whether it is still the one that was opened.

    SQLite goes on writing to a file that was removed or replaced under it, to be lost when the
    last process closes it. (It looks itself, but not when there is a write-ahead log.)
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> None:
        """Make an empty file where there is none."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE))
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror or error}") from error

    def identity(self) -> tuple[int, int] | None:
        """What tells the file that lies there from every other; None when there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def size(self) -> int:
        """Bytes of the file; 0 when there is none."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def remember(self, _connection: Driver, record: Any) -> None:
        """Note which file a new connection has opened."""
        record.info[_IDENTITY] = self.identity()

    def check(self, _connection: Driver, record: Any, _proxy: Any) -> None:
        """Have a connection to another file than the one that lies there made anew."""
        if record.info[_IDENTITY] != self.identity():
            raise sqlalchemy.exc.DisconnectionError(f"{self._path} was removed or replaced")

    def turn(self) -> "_Turn":
        """The order of the processes that write to the file."""
        try:
            return _Turn(self._path.with_name(self._path.name + LOCK_SUFFIX))
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror or error}") from error


_IDENTITY = "file"


class _Turn:
    """Whose turn it is to write, among processes.

    SQLite would find out by asking again and again, pausing longer each time, so that of two busy
    processes one waits for seconds; the system wakes whoever waits for this lock at once.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE), "ab")
        self._threads = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self._file.close()


class _SqliteStore(SqlStore):
    """A store whose writes are told only while their file lies where the next start looks."""

    def __init__(self, engine: sqlalchemy.Engine, place: _Place) -> None:
        super().__init__(engine)
        self._place = place
        self._turn = place.turn()
        # At first too: whoever used the file before may have ended before its log was emptied.
        self._log_holds_deleted = True
        self._pages_hold_deleted = False
        self._vacuum_from = 0.0

    def writer(self, connection: Connection) -> SqliteWriter:
        """See `Database.writer`."""
        return SqliteWriter(connection)

    def tombstone_changes(self, writer: Writer, projects: Collection[str]) -> Result:
        """See `Erasing.tombstone_changes`."""
        rows = [{"project_id": project} for project in projects]
        return writer.run("tombstone_changes", rows, every=False)

    def next_change(self, connection: Connection, project: str) -> int:
        """See `SqlChangeFeed.next_change`."""
        query = sqlalchemy.text(load("sqlite")["next_change"])
        return int(connection.execute(query, {"project_id": project}).scalar_one())

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`."""
        with self._turn.taken(), super().writing() as connection:
            opened = connection.info[_IDENTITY]
            yield connection
        if opened != self._place.identity():
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

        Folds the log, which has older pages, into the file, and empties it. Deleted rows are
        overwritten as they are deleted, but pages that were split before may have copies of them:
        a small file is therefore written anew.
        """
        vacuum = thorough and self._pages_hold_deleted and self._place.size() <= MAX_VACUUMED_BYTES
        if not self._log_holds_deleted and not vacuum:
            return
        past = driver_translated(sqlite3)
        with translated(), past, self._turn.taken(), self.engine.connect() as connection:
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
            self._vacuum_from = time.monotonic() + VACUUM_PAUSE_SECONDS

    def close(self) -> None:
        """See `Installation.close`."""
        super().close()
        self._turn.close()


def _on_connect(connection: Driver, _record: Any) -> None:
    # The driver's own idea of when to begin is switched off: `_on_begin` says it.
    connection.isolation_level = None
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}").close()
    _begin_log(connection)
    for pragma in (
        "synchronous = FULL",
        # What is deleted is overwritten, wherever SQLite was built without that as its default.
        "secure_delete = ON",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"cache_size = -{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_log(connection: Driver) -> None:
    """Turn the write-ahead log on, which SQLite does not wait for whatever its timeout is."""
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
"""The bits of an error's code that are the same for all its varieties (sqlite.org/rescode)."""


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

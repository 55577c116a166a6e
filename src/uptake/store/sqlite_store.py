"""A store on SQLite: its transactions and its statements.

Several processes may write to the file, one at a time.
"""

import fcntl
import os
import re
import sqlite3
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import chain, repeat
from pathlib import Path
from sqlite3 import Connection as Driver
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from uptake.store.base import IncompleteWrite, StoreUnavailable, StoreUnusable
from uptake.store.database import (
    PARAMETER,
    WRITES,
    Result,
    Row,
    Writer,
    check_count,
    driver_translated,
    load,
    picker,
    translated,
)
from uptake.store.sql_store import SqlStore

BUSY_SECONDS = 30
"""Time limit of waiting for the transaction of another process."""

SCRUB_SECONDS = 0.25
"""Time that `scrub` waits for readers while writers wait for it. `scrub` is called again while a
longer reader, such as an export, is active."""

MAX_VACUUMED_BYTES = 64 * 1024 * 1024
"""Largest file that `scrub` vacuums, which takes about a second while writers wait. For a larger
one an operator chooses the time."""

PRIVATE = 0o600
"""Mode of the files: they hold data of users. SQLite gives the log and its index the same."""

LOCK_SUFFIX = ".lock"
"""Suffix of the lock file of writers."""

FILE = "file"
"""Key of `Connection.info` for the file that a connection has opened."""

BLOCKS = (64, 32, *range(16, 0, -1))
"""Rows of one statement, largest first. The driver releases the interpreter lock for each statement
and may wait for it afterwards, so few statements are faster."""

SCAN_CACHE_KIB = 8192
"""Cache of a connection that reads a whole table. The rows of one query, about 4 MiB
(`user_queries.PAGE_BYTES`), are also sorted in it: with less, SQLite sorts them in files."""

STATEMENTS = 512
"""Statements that stay prepared on a connection: at least those of an upload in every size."""

_ROW = re.compile(r"(?<=VALUES )\(.*?\)(?=\s*(?:ON CONFLICT|RETURNING|\)\nSELECT|$))", re.DOTALL)
_PARAMETER = re.compile(PARAMETER)


class DatabaseFile:
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
        record.info[FILE] = self.identity()

    def check(self, _connection: Driver, record: Any, _proxy: Any) -> None:
        """Replace a connection if its file was removed or replaced."""
        if record.info[FILE] != self.identity():
            raise sqlalchemy.exc.DisconnectionError(f"{self._path} was removed or replaced")

    def writer_lock(self) -> "WriterLock":
        """Return the lock of the processes that write to the file."""
        try:
            return WriterLock(self._path.with_name(self._path.name + LOCK_SUFFIX))
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror or error}") from error


class WriterLock:
    """A lock among the processes and threads that write to a file.

    SQLite itself polls with growing pauses, so that of two busy processes one waits for seconds.
    The operating system wakes the next waiter of this lock at once. Threads get it in the order in
    which they wait: one that writes again and again would otherwise always be the first.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE), "ab")
        self._guard = threading.Lock()
        # Of the thread that holds the lock, then of those that wait.
        self._turns: deque[threading.Lock] = deque()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the threads that came before."""
        turn = threading.Lock()
        with self._guard:
            if self._turns:
                turn.acquire()
            self._turns.append(turn)
        # Held until the thread before passes the lock on.
        turn.acquire()
        try:
            yield
        finally:
            with self._guard:
                self._turns.popleft()
                if self._turns:
                    self._turns[0].release()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs."""
        with self._turn():
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock's file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement did: rows inserted or changed, and what it returned of them."""

    count: int = 0
    rows: list[tuple[Any, ...]] = field(default_factory=list)


_NOTHING = Rows()


class SqliteWriter:
    """See `database.Writer`. Every statement runs at once."""

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection
        self.commit_number = 0

    def take_commit_number(self) -> None:
        """See `Writer.take_commit_number`."""
        row = self._driver.execute(load("sqlite")["take_commit_number"]).fetchall()
        if not row:
            raise IncompleteWrite("marks: the commit number was not written")
        self.commit_number = row[0][0]

    def run(self, name: str, rows: Sequence[Row], *, every: bool = True) -> Rows:
        """See `Writer.run`."""
        if not rows:
            return _NOTHING
        statement = _statements()[name]
        count = done = 0
        returned: list[tuple[Any, ...]] = []
        for block in _blocks(len(rows)) if statement.is_repeated else repeat(1, len(rows)):
            values = map(statement.pick, rows[done : done + block])
            parameters = (self.commit_number, *chain.from_iterable(values))
            cursor = self._driver.execute(statement.texts[block], parameters)
            if statement.returns:
                returned += cursor.fetchall()
            else:
                count += cursor.rowcount
            done += block
        count = len(returned) if statement.returns else count
        if every:
            check_count(statement.texts[1], count, len(rows))
        return Rows(count, returned)

    def flush(self) -> None:
        """See `Writer.flush`."""


class _Statement:
    """A statement for each size of block. Parameter 1 is `:mark`; those of the rows follow."""

    def __init__(self, text: str) -> None:
        found = _ROW.search(text)
        row = text if found is None else found[0]
        self.names = [name for name in dict.fromkeys(_PARAMETER.findall(row)) if name != "mark"]
        self.pick = picker(self.names)
        self.is_repeated = found is not None
        self.returns = text.startswith(("SELECT", "WITH")) or "RETURNING" in text
        self.texts = {
            rows: text.replace(row, ", ".join(self._numbered(row, at) for at in range(rows)))
            for rows in (BLOCKS if self.is_repeated else (1,))
        }

    def _numbered(self, template: str, row: int) -> str:
        first = 2 + row * len(self.names)
        numbers = {name: first + at for at, name in enumerate(self.names)} | {"mark": 1}
        return _PARAMETER.sub(lambda found: f"?{numbers[found[1]]}", template)


@lru_cache
def _blocks(rows: int) -> Sequence[int]:
    """The sizes of the statements that write so many rows."""
    blocks: list[int] = []
    for block in BLOCKS:
        times, rows = divmod(rows, block)
        blocks += [block] * times
    return blocks


@cache
def _statements() -> Mapping[str, _Statement]:
    return {name: _Statement(text) for name, text in load("sqlite").items() if ":" in text}


class SqliteStore(SqlStore):
    """Acknowledges a write only if the file is still the one that the next start opens."""

    def __init__(self, engine: sqlalchemy.Engine, file: DatabaseFile) -> None:
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
        with self._writer_lock.held():
            with super().writing() as connection:
                opened = connection.info[FILE]
                yield connection
            if opened != self._file.identity():
                raise StoreUnavailable("the database file was removed or replaced")

    def open_writer(self) -> Connection:
        """See `Database.open_writer`.

        To undo a statement of several rows, SQLite copies each page that it changes to a temporary
        file, at twice the cost of writing the rows. In memory it costs a fraction.
        """
        connection = super().open_writer()
        _set_temp_store(connection, "MEMORY")
        return connection

    def close_writer(self, connection: Connection) -> None:
        """See `Database.close_writer`.

        The pool may give the connection to a reader, and large sorts belong in files. It is not
        closed: closing the last one moves the whole log into the file.
        """
        try:
            _set_temp_store(connection, "DEFAULT")
        except (sqlite3.Error, sqlalchemy.exc.SQLAlchemyError):
            connection.invalidate()
        super().close_writer(connection)

    def is_usable(self, connection: Connection) -> bool:
        """See `Database.is_usable`."""
        return bool(connection.info[FILE] == self._file.identity())

    @contextmanager
    def scanning(self, connection: Connection) -> Iterator[None]:
        """See `SqlUserQueries.scanning`. Pages of the file that are read once need no cache."""
        driver: Any = connection.connection.driver_connection
        [[size]] = driver.execute("PRAGMA cache_size").fetchall()
        driver.execute(f"PRAGMA cache_size = -{SCAN_CACHE_KIB}").close()
        try:
            yield
        finally:
            driver.execute(f"PRAGMA cache_size = {size}").close()

    def note_deletion(self) -> None:
        """See `WritingDatabase.note_deletion`."""
        self._log_holds_deleted = self._pages_hold_deleted = True

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


def _set_temp_store(connection: Connection, store: str) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA temp_store = {store}").close()


def begin(connection: Connection) -> None:
    """Begin a transaction; see SQLAlchemy's event `begin`."""
    writes = connection.get_execution_options().get(WRITES, False)
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN").close()

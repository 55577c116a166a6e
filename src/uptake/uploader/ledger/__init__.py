"""The ledger: a SQLite file with the state of every item.

The ledger is never ahead of the receiver: an item becomes `acknowledged` only after the answer. A
process may die at any moment: the requests in flight are in state `sent`, their outcome unknown,
and the next run sends them again. Losing the latest rows, as after a power failure, costs only that
these are sent again, so SQLite does not wait for the disk.
"""

import fcntl
import hashlib
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from uptake.uploader.sending.connection import Destination

VERSION = 1
PRIVATE = 0o600
"""Mode of the files: they contain user ids and rejected items."""

BUSY_SECONDS = 10.0
URL_DIGITS = 8

PENDING, SENT, ACKNOWLEDGED = "pending", "sent", "acknowledged"
"""States of items: assigned to a request; sent, outcome unknown; stored by the receiver."""

SCHEMA = """
CREATE TABLE destinations (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    wire TEXT NOT NULL,
    UNIQUE (url, wire)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    summary BLOB
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    state TEXT NOT NULL,
    run INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    count INTEGER NOT NULL,
    digests BLOB NOT NULL
);
CREATE INDEX samples_of ON samples (destination, user_id, metric, id);
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    digest BLOB NOT NULL,
    item BLOB NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL
);
CREATE INDEX waiting_of ON waiting (destination, user_id, metric);
CREATE TABLE items (
    destination INTEGER NOT NULL,
    identity BLOB NOT NULL,
    content BLOB NOT NULL,
    state TEXT NOT NULL,
    run INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (destination, identity)
) WITHOUT ROWID;
CREATE TABLE refusals (
    id INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    identity BLOB NOT NULL,
    content BLOB NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    reasons BLOB NOT NULL,
    item BLOB NOT NULL,
    mended INTEGER NOT NULL DEFAULT 0,
    UNIQUE (destination, user_id, metric, identity, content)
);
"""
"""`samples` has a row for each request, with the digests of its samples in one value. `items` has a
row for each attribute, document and image."""

ADDED = """
CREATE TABLE IF NOT EXISTS servers (
    url TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    project TEXT NOT NULL
) WITHOUT ROWID;
"""
"""The database and the project at each URL. Ledgers of earlier versions do not have this table, and
those versions ignore it."""


_NUMBERS = tuple(map(str, range(1, 32_767)))
"""The names of numbered placeholders; SQLite takes so many values."""


class LedgerUnusable(Exception):
    """The file is not a ledger, or another upload is using it; see the message."""


class Ledger:
    """An open ledger; its methods may be called from several threads.

    Placeholders of statements are numbered: `?1` is the first value.
    """

    def __init__(self, connection: sqlite3.Connection, lock: IO[str] | None = None) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._file_lock = lock

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; the rows it returns."""
        with self._lock:
            return self._connection.execute(statement, _by_number(values)).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Run a statement; the id of the row it inserted last."""
        with self._lock:
            return self._connection.execute(statement, _by_number(values)).lastrowid or 0

    def write_all(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values."""
        with self._lock:
            self._connection.executemany(statement, map(_by_number, rows))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the writes of the block together, or none of them; may be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file and release its lock."""
        with self._lock:
            self._connection.close()
        if self._file_lock is not None:
            self._file_lock.close()


def _by_number(values: Sequence[Any]) -> dict[str, Any]:
    """The values of numbered placeholders. From Python 3.14 on, these do not take a sequence."""
    return dict(zip(_NUMBERS, values, strict=False))


def open_ledger(path: Path) -> Ledger:
    """Open a ledger for this upload alone; create it if it does not exist.

    Raises:
        LedgerUnusable: the file cannot be opened, is not a ledger, or another upload is using it.
    """
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        for file in (path, Path(f"{path}.lock")):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, PRIVATE))
        lock = Path(f"{path}.lock").open("w")  # noqa: SIM115 - open as long as the ledger
    except OSError as error:
        raise LedgerUnusable(f"the ledger {path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LedgerUnusable(f"another upload is using the ledger {path}") from None
    try:
        return Ledger(_connect(path), lock)
    except LedgerUnusable:
        lock.close()
        raise


def read_ledger(path: Path) -> Ledger:
    """A copy of a ledger in memory: changes to it are lost.

    Raises:
        LedgerUnusable: the file cannot be opened, or is not a ledger.
    """
    stored = _connect(path) if path.exists() else None
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if stored is None:
        memory.executescript(f"{SCHEMA}{ADDED}PRAGMA user_version = {VERSION};")
        return Ledger(memory)
    try:
        stored.backup(memory)
    except sqlite3.Error as error:
        memory.close()
        raise LedgerUnusable(f"the ledger {path} cannot be read: {error}") from error
    finally:
        stored.close()
    return Ledger(memory)


def default_path(to: Destination) -> Path:
    """The ledger of a destination when none is named: one file for each URL.

    Its folder is `$XDG_STATE_HOME/uptake`, by default `~/.local/state/uptake` (XDG Base Directory
    Specification 0.8).
    """
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = home if home.is_absolute() else Path.home() / ".local" / "state"
    name = re.sub(r"[^a-z0-9.-]+", "-", to.url.partition("://")[2]).strip("-")
    digest = hashlib.sha256(to.url.encode()).hexdigest()[:URL_DIGITS]
    return state / "uptake" / f"{name}-{digest}.ledger"


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise LedgerUnusable(f"the ledger {path} cannot be opened: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        connection.executescript(ADDED)
    except sqlite3.Error as error:
        connection.close()
        raise LedgerUnusable(f"{path} is not a ledger: {error}") from error
    if version not in {0, VERSION}:
        connection.close()
        raise LedgerUnusable(f"the ledger {path} was made by a newer version of this program")
    return connection

"""The ledger: a SQLite file that says of every item what became of it.

Nothing in it is ever ahead of the receiver: an item is noted as acknowledged after the answer that
says so. So a process may die at any moment; what it had under way is noted as `sent`, its outcome
unknown, and is sent again. Losing the last lines of the ledger, as after a power failure, costs no
more than sending those again, which is why SQLite need not wait for the disk.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

VERSION = 1
PRIVATE = 0o600
"""Mode of the files: they name users, and hold items that were rejected."""

BUSY_SECONDS = 10.0

PENDING, SENT, ACKNOWLEDGED = "pending", "sent", "acknowledged"
"""The states of what is to be kept: gathered into a request; sent, outcome not known; kept."""

SCHEMA = """
CREATE TABLE destinations (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    wire TEXT NOT NULL,
    UNIQUE (url, wire)
);
CREATE TABLE keys (
    destination INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (destination, digest)
) WITHOUT ROWID;
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
"""`samples` has a row for every request and not for every sample: its digests lie in one value.
`items` has a row for every attribute, document and image."""


class LedgerUnusable(Exception):
    """The file is no ledger, or another upload has it; the message says which."""


class Ledger:
    """An open ledger; its methods may be called from several threads.

    Attributes:
        path: where it lies; None when it is only in memory.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None, lock: IO[str] | None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._file_lock = lock

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; the rows that it gives."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Run a statement; the id of the row that it added last."""
        with self._lock:
            return self._connection.execute(statement, values).lastrowid or 0

    def write_all(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a statement once for each row."""
        with self._lock:
            self._connection.executemany(statement, rows)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written inside is noted all at once or not at all."""
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
        """Let go of the file."""
        with self._lock:
            self._connection.close()
        if self._file_lock is not None:
            self._file_lock.close()


def open_ledger(path: Path) -> Ledger:
    """Open a ledger for one upload at a time; made if it is not there.

    Raises:
        LedgerUnusable: it cannot be opened, is none, or another upload has it.
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
        return Ledger(_connect(path), path, lock)
    except LedgerUnusable:
        lock.close()
        raise


def read_ledger(path: Path) -> Ledger:
    """A ledger as it is now, to be looked at; changes to it are made in memory and forgotten.

    Raises:
        LedgerUnusable: it cannot be opened, or is none.
    """
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if not path.exists():
        memory.executescript(f"{SCHEMA}PRAGMA user_version = {VERSION};")
        return Ledger(memory, None, None)
    stored = _connect(path)
    try:
        stored.backup(memory)
    except sqlite3.Error as error:
        raise LedgerUnusable(f"the ledger {path} cannot be read: {error}") from error
    finally:
        stored.close()
    return Ledger(memory, None, None)


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
    except sqlite3.Error as error:
        connection.close()
        raise LedgerUnusable(f"{path} is not a ledger: {error}") from error
    if version not in {0, VERSION}:
        connection.close()
        raise LedgerUnusable(f"the ledger {path} was made by a newer version of this program")
    return connection

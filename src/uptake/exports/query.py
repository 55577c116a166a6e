"""SQL over a project's data: DuckDB reads the tables that a query names from one snapshot.

Nothing is copied beforehand. A table is read from the store when DuckDB scans it, and again when it
scans it again; all see the same moment. The query can change nothing, and reach nothing else.
"""

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from uptake.blobs import Blobs
from uptake.exports import KINDS, Kind, NotPossible, Question
from uptake.exports.exporting import table_of
from uptake.exports.samples import TEXT_ROWS_AT_ONCE
from uptake.store.base import Snapshot, Snapshots

ROWS_AT_ONCE = 4096
"""Rows of a result that are given at a time."""


class QueryFailed(Exception):
    """DuckDB cannot answer the query; the message says why."""


@contextmanager
def queried(
    store: Snapshots, blobs: Blobs, project: str, sql: str
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The answer to a query, which can be read while the block runs.

    Raises:
        NotPossible: DuckDB is not installed, or this is not one query.
        QueryFailed: it cannot be answered; also while the answer is read.
    """
    try:
        import duckdb  # noqa: PLC0415 - not everybody has it
    except ImportError:
        raise NotPossible("DuckDB is not installed: pip install 'uptake[sql]'") from None
    with (
        store.snapshot(project) as snapshot,
        tempfile.TemporaryDirectory(prefix="uptake-sql-") as folder,
        closing(duckdb.connect(":memory:")) as database,
    ):
        _confine(database, folder)
        try:
            _require_query(duckdb, database, sql)
            lock = threading.Lock()
            for kind in _named(sql):
                source = _Source(snapshot, blobs, Question(kind, project), lock)
                database.register(kind, source)
            database.execute("SET lock_configuration = true")
            yield _batches(database.sql(sql).to_arrow_reader(ROWS_AT_ONCE))
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryFailed(_first_line(error)) from error


def _confine(database: Any, folder: str) -> None:
    """Let it use a folder for what does not fit into memory, and nothing else."""
    database.execute(f"SET temp_directory = '{folder.replace(chr(39), chr(39) * 2)}'")
    database.execute("SET enable_external_access = false")
    database.execute("SET python_enable_replacements = false")
    database.execute("SET TimeZone = 'UTC'")


def _require_query(duckdb: Any, database: Any, sql: str) -> None:
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise NotPossible("the query is not UTF-8") from None
    statements = database.extract_statements(sql)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise NotPossible("give one query, SELECT or what DuckDB takes for one; it can only read")


def _named(sql: str) -> list[Kind]:
    """The tables that a query may mean: those whose names stand in it."""
    words = set(re.findall(r"[a-z]+", sql.lower()))
    return [kind for kind in KINDS if kind in words]


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    yield pa.RecordBatch.from_arrays([[]] * len(reader.schema), schema=reader.schema)
    yield from reader


class _Source:
    """A table as something that can be read more than once (Arrow's PyCapsule interface).

    Args:
        snapshot: where it is read from, by one thread at a time: whoever holds `lock`.
        blobs: where large items are.
        question: which table.
        lock: shared by all tables of the snapshot.
    """

    def __init__(
        self, snapshot: Snapshot, blobs: Blobs, question: Question, lock: threading.Lock
    ) -> None:
        self._snapshot = snapshot
        self._blobs = blobs
        self._question = question
        self._lock = lock
        self._schema: pa.Schema | None = None

    def __arrow_c_schema__(self) -> Any:
        if self._schema is None:
            with self._lock:
                table = table_of(self._snapshot, self._blobs, self._question)
            self._schema = table.schema
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        with self._lock:
            table = table_of(self._snapshot, self._blobs, self._question, TEXT_ROWS_AT_ONCE)
        reader = pa.RecordBatchReader.from_batches(table.schema, self._one_by_one(table.batches))
        return reader.__arrow_c_stream__(requested_schema)

    def _one_by_one(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        while True:
            with self._lock:
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

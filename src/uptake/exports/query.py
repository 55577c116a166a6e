"""SQL queries over a project's data, run by DuckDB on one snapshot.

Nothing is copied beforehand: each scan of a table reads it from the store, all at the same moment.
A query is read-only and has no access to files, the network or the process.
"""

import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from difflib import get_close_matches
from functools import partial
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv

from uptake.blobs import Blobs
from uptake.exports import KINDS, ExportQuery, InvalidExport, Kind
from uptake.exports.forms import TEXT_SAMPLES
from uptake.exports.tables import table_of
from uptake.store.snapshot_ports import Snapshot, Snapshots

ROWS_AT_ONCE = 4096
"""Rows in each batch of a result."""

TABLES: dict[str, Kind] = {"daily" if kind == "rollups" else kind: kind for kind in KINDS}
"""The kind of data of each table."""

_NO_TABLE = re.compile(r"Catalog Error: Table with name (\S+) does not exist!")

Batches = Iterator[pa.RecordBatch]
"""At least one batch, which may be empty."""

_json = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


class QueryFailed(Exception):
    """DuckDB cannot run the query; the message is DuckDB's."""


def load_duckdb() -> Any:
    """Import DuckDB.

    Raises:
        InvalidExport: it is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise InvalidExport("DuckDB is not installed: run pip install 'uptake[sql]'") from None
    return duckdb


@contextmanager
def run_query(
    store: Snapshots, blobs: Blobs, project: str, sql: str, zone: str | None = "UTC"
) -> Iterator[Batches]:
    """Run a query; the result can be read within the block.

    Args:
        store: where the data is read.
        blobs: where large rejected items are read.
        project: the project.
        sql: the query.
        zone: the time zone of the days of `daily`; None for the local time of each sample.

    Raises:
        InvalidExport: DuckDB is not installed, or `sql` is not a single SELECT statement.
        QueryFailed: DuckDB cannot run it; reading the result may raise it too.
    """
    duckdb = load_duckdb()
    with (
        store.snapshot(project) as snapshot,
        tempfile.TemporaryDirectory(prefix="uptake-sql-") as folder,
        closing(duckdb.connect(":memory:")) as database,
    ):
        _confine(database, folder)
        try:
            _require_query(duckdb, database, sql)
            lock = threading.Lock()
            for table, kind in _named(sql).items():
                source = _Source(snapshot, blobs, ExportQuery(kind, project, zone=zone), lock)
                database.register(table, source)
            database.execute("SET lock_configuration = true")
            with ThreadPoolExecutor(1) as thread:
                yield _batches(database, sql, thread)
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryFailed(_message(error)) from error


def _confine(database: Any, folder: str) -> None:
    """Give the database a folder for temporary files, and no access to anything else."""
    database.execute(f"SET temp_directory = '{folder.replace(chr(39), chr(39) * 2)}'")
    database.execute("SET enable_external_access = false")
    database.execute("SET python_enable_replacements = false")
    database.execute("SET TimeZone = 'UTC'")
    # Python without a script counts as interactive: DuckDB would print a bar to standard output.
    database.execute("SET enable_progress_bar = false")


def _require_query(duckdb: Any, database: Any, sql: str) -> None:
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise InvalidExport("the query must be valid UTF-8") from None
    statements = database.extract_statements(sql)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise InvalidExport("the query must be a single SELECT statement: queries only read data")


def _named(sql: str) -> dict[str, Kind]:
    """The tables that a query may use: those with a name that occurs in it."""
    words = set(re.findall(r"[a-z]+", sql.lower()))
    return {table: kind for table, kind in TABLES.items() if table in words}


def _batches(database: Any, sql: str, thread: Executor) -> Iterator[pa.RecordBatch]:
    """Run the query in a thread: while DuckDB runs, the main thread would not handle Ctrl-C."""

    def result(work: Callable[[], Any]) -> Any:
        try:
            return thread.submit(work).result()
        except KeyboardInterrupt:
            database.interrupt()
            raise

    reader = result(lambda: database.sql(sql).to_arrow_reader(ROWS_AT_ONCE))
    yield pa.RecordBatch.from_arrays([[]] * len(reader.schema), schema=reader.schema)
    while (batch := result(lambda: next(reader, None))) is not None:
        yield batch


class _Source:
    """A table that DuckDB can scan more than once (Arrow's PyCapsule interface).

    Args:
        snapshot: read by one thread at a time, which holds `lock`.
        blobs: where large rejected items are read.
        query: selects the rows.
        lock: shared by all tables of the snapshot.
    """

    def __init__(
        self, snapshot: Snapshot, blobs: Blobs, query: ExportQuery, lock: threading.Lock
    ) -> None:
        self._open = partial(table_of, snapshot, blobs, query, TEXT_SAMPLES)
        self._lock = lock
        self._schema: pa.Schema | None = None

    def __arrow_c_schema__(self) -> Any:
        if self._schema is None:
            with self._lock:
                self._schema = self._open().schema
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        with self._lock:
            table = self._open()
        reader = pa.RecordBatchReader.from_batches(table.schema, self._one_by_one(table.batches))
        return reader.__arrow_c_stream__(requested_schema)

    def _one_by_one(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        while True:
            with self._lock:
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def _message(error: Exception) -> str:
    """DuckDB's message with its hint, without the query that it repeats.

    DuckDB knows only the tables that the query names, so its hint for others is of no use.
    """
    message, _, hint = str(error).strip().partition("\nLINE ")[0].partition("\n")
    if missing := _NO_TABLE.match(message):
        near = get_close_matches(missing[1].lower(), TABLES, 1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        hint += f"The tables are {', '.join(TABLES)}."
    return f"{message} {hint}".strip()


def rows_of(batches: Batches) -> tuple[list[str], Iterator[list[Any]]]:
    """Return the names of the columns, and the rows as text to print."""
    first = next(batches)
    rows = (list(row) for batch in batches for row in zip(*map(_texts, batch.columns), strict=True))
    return list(first.schema.names), rows


def _texts(column: pa.Array) -> list[Any]:
    """Timestamps as ISO 8601, lists and structs as JSON, null as None."""
    return [
        value
        if value is None or isinstance(value, str)
        else _json.encode(value).decode().removeprefix('"').removesuffix('"')
        for value in column.to_pylist()
    ]


def print_json(batches: Batches, out: BinaryIO) -> None:
    """Write a JSON array with an object for each row, on one line."""
    separator = b"["
    for batch in batches:
        for row in batch.to_pylist():
            out.write(separator + _json.encode(row))
            separator = b","
    out.write((b"[" if separator == b"[" else b"") + b"]\n")


def print_csv(batches: Batches, out: BinaryIO) -> None:
    """Write CSV with a header: strings in quotes, null without; lists and structs as JSON."""
    header = True
    for batch in batches:
        columns = [_flat(column) for column in batch.columns]
        flat = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        sink = pa.BufferOutputStream()
        pacsv.write_csv(flat, sink, pacsv.WriteOptions(include_header=header))
        out.write(sink.getvalue())
        header = False


def _flat(column: pa.Array) -> pa.Array:
    """The column as it is if Arrow can write it as CSV, else as text."""
    if any(check(column.type) for check in _CSV_TYPES):
        return column
    return pa.array(_texts(column), pa.string())


_CSV_TYPES = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_date,
)

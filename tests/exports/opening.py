"""Exports opened as their users open them, with pyarrow and with DuckDB."""

import gzip
import io
from datetime import date, datetime
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from uptake.blobs import Blobs
from uptake.exports import ExportQuery, Kind
from uptake.exports.forms import Compression, FormName
from uptake.exports.writers import open_export
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT

Rows = list[dict[str, Any]]


def export(
    store: Store,
    blobs: Blobs,
    kind: Kind,
    form: FormName = "ndjson",
    compression: Compression = "none",
    **asked: Any,
) -> tuple[bytes, str]:
    """The bytes of an export, and its cursor."""
    query = ExportQuery(kind, asked.pop("project", DEFAULT_PROJECT), **asked)
    with open_export(store, blobs, query, form, compression) as running:
        return b"".join(running.parts), running.cursor or ""


def rows(store: Store, blobs: Blobs, kind: Kind, **asked: Any) -> Rows:
    """Return the rows of an export, read from NDJSON."""
    return parsed(export(store, blobs, kind, **asked)[0])


def parsed(ndjson: bytes) -> Rows:
    """The objects on the lines."""
    return [msgspec.json.decode(line) for line in ndjson.splitlines()]


def by_arrow(content: bytes, form: FormName) -> Rows:
    """A Parquet file or an Arrow stream as pyarrow reads it, times as text."""
    if form == "parquet":
        table = pq.read_table(io.BytesIO(content))
    else:
        table = pa.ipc.open_stream(content).read_all()
    return [{name: _text(value) for name, value in row.items()} for row in table.to_pylist()]


def by_duckdb(read: str, **readers: Any) -> Rows:
    """What DuckDB reads from a file or an Arrow reader, times as text."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, reader in readers.items():
            database.register(name, reader)
        table = database.sql(f"FROM {read}").to_arrow_table()
    return [{name: _text(value) for name, value in row.items()} for row in table.to_pylist()]


def by_csv(content: bytes) -> Rows:
    """CSV as pyarrow reads it, all of it text, with null where a cell is empty without quotes."""
    names = content.split(b"\n", 1)[0].decode()[1:-1].split('","')
    kinds = {name.replace('""', '"'): pa.string() for name in names}
    table = pacsv.read_csv(
        io.BytesIO(content),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=kinds,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return list(table.to_pylist())


def unpacked(content: bytes, compression: Compression) -> bytes:
    """What was compressed."""
    if compression == "gzip":
        return gzip.decompress(content)
    if compression == "zstd":
        return bytes(pa.CompressedInputStream(pa.BufferReader(content), "zstd").read())
    return content


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return value.isoformat() if isinstance(value, date) else value

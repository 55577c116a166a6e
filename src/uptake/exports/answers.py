"""The answer to a query, printed."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv

_json = msgspec.json.Encoder(decimal_format="number", enc_hook=str)

Batches = Iterator[pa.RecordBatch]
"""At least one, which may be empty."""


def rows_of(batches: Batches) -> tuple[list[str], Iterator[list[Any]]]:
    """The names of the columns, and the rows."""
    first = next(batches)
    return list(first.schema.names), _rows(batches)


def _rows(batches: Batches) -> Iterator[list[Any]]:
    for batch in batches:
        columns = [_texts(column) for column in batch.columns]
        yield from map(list, zip(*columns, strict=True))


def _texts(column: pa.Array) -> list[Any]:
    """Values for a person: timestamps as ISO 8601, lists and the like as JSON, null as nothing."""
    return [
        value if value is None or isinstance(value, str) else _text(value)
        for value in column.to_pylist()
    ]


def _text(value: Any) -> str:
    return _json.encode(value).decode().removeprefix('"').removesuffix('"')


def print_json(batches: Batches, out: BinaryIO) -> None:
    """A JSON array of an object for each row, on one line."""
    between = b"["
    for batch in batches:
        for row in batch.to_pylist():
            out.write(between + _json.encode(row))
            between = b","
    out.write((b"[" if between == b"[" else b"") + b"]\n")


def print_csv(batches: Batches, out: BinaryIO) -> None:
    """CSV with a header; text in quotes, null without; lists and the like as JSON."""
    header = True
    for batch in batches:
        columns = [_flat(column) for column in batch.columns]
        flat = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        sink = pa.BufferOutputStream()
        pacsv.write_csv(flat, sink, pacsv.WriteOptions(include_header=header))
        out.write(sink.getvalue())
        header = False


def _flat(column: pa.Array) -> pa.Array:
    """What Arrow can write as CSV, and anything else as text."""
    kind = column.type
    if any(check(kind) for check in _PLAIN):
        return column
    return pa.array(_texts(column), pa.string())


_PLAIN = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_date,
)

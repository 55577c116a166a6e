"""Rows as NDJSON: one JSON object on each line."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uptake.exports.samples import iso, with_iso_times

JSON_TEXT = {b"content": b"application/json"}
"""Metadata of a column of JSON text."""

_json = msgspec.json.Encoder()
_ONE_LINE = str.maketrans("\r\n", "  ")
"""JSON has line breaks only between tokens, where a space is equivalent."""

_HEAD = ("user_id", "metric", "device_name", "device_version", "unit")
"""Members of a sample that have few different combinations."""


def row_lines(batch: pa.RecordBatch) -> bytes:
    """Format rows; columns of JSON text become JSON values, with spaces for line breaks."""
    texts = [field.name for field in batch.schema if field.metadata == JSON_TEXT]
    rows = with_iso_times(batch).to_pylist()
    for row in rows:
        for name in texts:
            if row[name] is not None:
                row[name] = msgspec.Raw(row[name].translate(_ONE_LINE).encode())
    return _json.encode_lines(rows)


def present_lines(batch: pa.RecordBatch) -> bytes:
    """Format rows without the members that are null."""
    return _json.encode_lines(
        [
            {name: value for name, value in row.items() if value is not None}
            for row in batch.to_pylist()
        ]
    )


def sample_lines(batch: pa.RecordBatch) -> bytes:
    """Format samples column by column, which is many times faster than row by row."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    return _text(
        pc.binary_join_element_wise(
            _heads([columns[name] for name in _HEAD]),
            *_time("start_date", columns["start_date"]),
            *_time("end_date", columns["end_date"]),
            ',"value":',
            columns["value"].cast(pa.string()),
            *_time("start_utc", iso(columns["start_utc"])),
            *_time("end_utc", iso(columns["end_utc"])),
            "}\n",
            "",
        )
    )


def _time(name: str, texts: pa.Array) -> tuple[Any, ...]:
    """A member with a value that needs no escapes, or null."""
    if not texts.null_count:
        return f',"{name}":"', texts, '"'
    if texts.null_count == len(texts):
        return (f',"{name}":null',)
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    return f',"{name}":', pc.fill_null(quoted, "null")


def _heads(columns: list[pa.DictionaryArray]) -> pa.Array:
    """The beginning of each object, formatted once for each combination of its values."""
    tables = [[*column.dictionary.to_pylist(), None] for column in columns]
    codes = [
        column.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
        for column, table in zip(columns, tables, strict=True)
    ]
    mixed = np.zeros(len(columns[0]), np.int64)
    for code, table in zip(codes, tables, strict=True):
        mixed = mixed * len(table) + code
    _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
    texts = []
    for row in first.tolist():
        values = (table[code[row]] for table, code in zip(tables, codes, strict=True))
        texts.append(_json.encode(dict(zip(_HEAD, values, strict=True)))[:-1].decode())
    return pa.array(texts, pa.string()).take(pa.array(which.astype(np.int32)))


def _text(lines: pa.Array) -> bytes:
    """The concatenated bytes of all strings."""
    _, offsets, data = lines.buffers()
    begins = np.frombuffer(offsets, np.int32, len(lines) + 1, lines.offset * 4)
    return memoryview(data)[begins[0] : begins[-1]].tobytes()

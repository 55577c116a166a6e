"""Rows as NDJSON: a JSON object on each line."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uptake.exports.texts import iso, with_iso_times

JSON_TEXT = {b"content": b"application/json"}
"""Metadata of a column whose text is JSON."""

_json = msgspec.json.Encoder()
_ONE_LINE = str.maketrans("\r\n", "  ")
"""Between the tokens of JSON, where alone line breaks can stand, they are worth a space."""

_HEAD = ("user_id", "metric", "device_name", "device_version", "unit")
"""Members of a sample of which few combinations stand many times."""


def row_lines(batch: pa.RecordBatch) -> bytes:
    """Rows as lines; columns of JSON text as what they say, line breaks made spaces."""
    texts = [field.name for field in batch.schema if field.metadata == JSON_TEXT]
    rows = with_iso_times(batch).to_pylist()
    for row in rows:
        for name in texts:
            if row[name] is not None:
                row[name] = msgspec.Raw(row[name].translate(_ONE_LINE).encode())
    return _json.encode_lines(rows)


def present_lines(batch: pa.RecordBatch) -> bytes:
    """Rows as lines, without the members that are null."""
    return _json.encode_lines(
        [
            {name: value for name, value in row.items() if value is not None}
            for row in batch.to_pylist()
        ]
    )


def sample_lines(batch: pa.RecordBatch) -> bytes:
    """Samples as lines, put together column by column."""
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
    """A member whose value needs no escapes, or is null."""
    if not texts.null_count:
        return f',"{name}":"', texts, '"'
    if texts.null_count == len(texts):
        return (f',"{name}":null',)
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    return f',"{name}":', pc.fill_null(quoted, "null")


def _heads(columns: list[pa.DictionaryArray]) -> pa.Array:
    """The beginning of each object, made once for each combination of its values."""
    tables = [[*column.dictionary.to_pylist(), None] for column in columns]
    places = [
        column.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
        for column, table in zip(columns, tables, strict=True)
    ]
    mixed = np.zeros(len(columns[0]), np.int64)
    for place, table in zip(places, tables, strict=True):
        mixed = mixed * len(table) + place
    _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
    texts = []
    for row in first.tolist():
        values = (table[place[row]] for table, place in zip(tables, places, strict=True))
        texts.append(_json.encode(dict(zip(_HEAD, values, strict=True)))[:-1].decode())
    return pa.array(texts, pa.string()).take(pa.array(which.astype(np.int32)))


def _text(lines: pa.Array) -> bytes:
    """The characters of strings, one after the other."""
    _, offsets, data = lines.buffers()
    places = np.frombuffer(offsets, np.int32, len(lines) + 1, lines.offset * 4)
    return memoryview(data)[places[0] : places[-1]].tobytes()

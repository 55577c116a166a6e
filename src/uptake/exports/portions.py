"""Rows of very different sizes, gathered into record batches of about one."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import pyarrow as pa

ROWS_AT_ONCE = 8192
BYTES_AT_ONCE = 4 << 20
"""A batch ends when its rows have so many bytes, or as many rows."""

Row = tuple[Any, ...]
Kept = TypeVar("Kept")


def portions(
    kept: Iterable[Kept],
    row: Callable[[Kept], Row],
    schema: pa.Schema,
    rows: int = ROWS_AT_ONCE,
) -> Iterator[pa.RecordBatch]:
    """Record batches of rows, whose values stand in the order of the columns."""
    waiting: list[Row] = []
    size = 0
    for one in kept:
        values = row(one)
        waiting.append(values)
        size += sum(len(value) for value in values if isinstance(value, str))
        if size >= BYTES_AT_ONCE or len(waiting) >= rows:
            yield _batch(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, schema)


def _batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)

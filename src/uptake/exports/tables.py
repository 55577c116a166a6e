"""What is exported, as a table: its columns, and its rows a batch at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

Render = Callable[[pa.RecordBatch], bytes]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that can be read once.

    Attributes:
        schema: the columns.
        batches: the rows, so many at a time as are best written at once.
        lines: rows as NDJSON.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    lines: Render

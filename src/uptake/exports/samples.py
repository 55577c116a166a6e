"""Samples as Arrow columns: each once, in order of user, metric and start, exactly as told.

Nothing here is done sample by sample in Python. Texts that repeat are indexes into tables; the
others, times, are written by NumPy straight into Arrow's buffers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa

from uptake.exports import Question
from uptake.exports.ndjson import sample_lines
from uptake.exports.selecting import selections
from uptake.exports.tables import Table
from uptake.exports.texts import stamps, told
from uptake.samples.columns import NO_END, UNITS, Columns
from uptake.samples.merge import merge_in_parts
from uptake.samples.metrics import Metric
from uptake.samples.times import Int64s
from uptake.store.base import Snapshot
from uptake.store.stored import Selection

_NAME = pa.dictionary(pa.int32(), pa.string())
UTC = pa.timestamp("us", "UTC")

SCHEMA = pa.schema(
    [
        pa.field("user_id", _NAME, nullable=False),
        pa.field("metric", _NAME, nullable=False),
        pa.field("device_name", _NAME, nullable=False),
        pa.field("device_version", _NAME),
        pa.field("start_date", pa.string(), nullable=False),
        pa.field("end_date", pa.string()),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("unit", _NAME, nullable=False),
        pa.field("start_utc", UTC, nullable=False),
        pa.field("end_utc", UTC),
    ]
)
"""The names of the wire and the text that was told there, then the instants, to the microsecond."""


_ABSENT = -1


ROWS_AT_ONCE = 1 << 17
"""Samples of a row group of Parquet, which DuckDB reads as one of its own."""

TEXT_ROWS_AT_ONCE = 1 << 14
"""Samples that are made text at once: some megabytes."""


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of one user and metric, in order."""

    user_id: str
    metric: Metric
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns)


def samples(snapshot: Snapshot, question: Question, rows: int) -> Table:
    """All samples that are asked for, about so many at a time."""
    found = gathered(blocks(snapshot, question), rows)
    return Table(SCHEMA, (record_batch(some) for some in found), sample_lines)


def blocks(snapshot: Snapshot, question: Question) -> Iterator[Block]:
    """All samples that are asked for, in order."""
    for only in selections(snapshot, question):
        yield from _blocks(snapshot, question, only)


def _blocks(snapshot: Snapshot, question: Question, only: Selection) -> Iterator[Block]:
    found = snapshot.batches(question.metrics, only)
    for (user_id, metric), batches in groupby(found, key=lambda one: (one.user_id, one.metric)):
        for columns in merge_in_parts(batches):
            inside = _between(columns, only.start, only.end)
            if len(inside):
                yield Block(user_id, metric, inside)


def _between(columns: Columns, start: int | None, end: int | None) -> Columns:
    first = 0 if start is None else int(columns.start.searchsorted(start))
    last = len(columns) if end is None else int(columns.start.searchsorted(end))
    return columns.take(slice(first, last)) if (first, last) != (0, len(columns)) else columns


def gathered(found: Iterable[Block], rows: int) -> Iterator[list[Block]]:
    """Blocks in lists of about so many samples, at least."""
    some: list[Block] = []
    count = 0
    for block in found:
        some.append(block)
        count += len(block)
        if count >= rows:
            yield some
            some, count = [], 0
    if some:
        yield some


def record_batch(some: Sequence[Block], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    """The columns of `SCHEMA`, or some of them, for at least one block."""
    counts = np.array([len(block) for block in some])
    numbers = np.concatenate([block.columns.numbers for block in some], axis=1)
    start, duration, start_format, end_format, device, version, unit = numbers
    endless = duration == NO_END
    end = start + np.where(endless, 0, duration)
    arrays = [
        _names([(block.user_id,) for block in some], np.zeros(1, np.int64), counts),
        _names([(block.metric,) for block in some], np.zeros(1, np.int64), counts),
        _names([block.columns.devices for block in some], device, counts),
        _names([block.columns.versions for block in some], version, counts),
        told(start, start_format),
        told(end, np.where(endless, start_format, end_format), endless),
        pa.array(np.concatenate([block.columns.value for block in some])),
        pa.DictionaryArray.from_arrays(
            pa.array(unit.astype(np.int32)), pa.array(UNITS, pa.string())
        ),
        stamps(start),
        stamps(end, endless),
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    return batch if schema is SCHEMA else batch.select(schema.names)


def _names(
    tables: Sequence[Sequence[str | None]], which: Int64s, counts: Int64s
) -> pa.DictionaryArray:
    """Places in the blocks' own tables of names as places in one table of all; None is null."""
    joined: dict[str, int] = {}
    places = np.array(
        [
            _ABSENT if name is None else joined.setdefault(name, len(joined))
            for names in tables
            for name in names
        ],
        np.int32,
    )
    begins = np.cumsum([0, *(len(names) for names in tables[:-1])])
    indices = places[which + np.repeat(begins, counts)]
    mask = indices == _ABSENT if _ABSENT in places else None
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, mask=mask), pa.array(list(joined), pa.string())
    )

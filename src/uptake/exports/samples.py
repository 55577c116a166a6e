"""Samples as Arrow columns: each once, in order of user, metric and start, exactly as received.

Nothing here runs once for each sample in Python. Repeated strings are dictionary-encoded; NumPy
writes the text of times directly into Arrow's buffers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from uptake.exports import ExportQuery
from uptake.samples import times
from uptake.samples.columns import NO_END, UNITS, Columns
from uptake.samples.merge import merge_in_parts
from uptake.samples.metrics import Metric
from uptake.samples.time_formats import format_times
from uptake.samples.times import Int64s
from uptake.store.snapshot_ports import Snapshot
from uptake.store.stored import Selection
from uptake.time_units import TICKS_PER_MICROSECOND

_NAME = pa.dictionary(pa.int32(), pa.string())
UTC = pa.timestamp("us", "UTC")

SAMPLES = pa.schema(
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
"""The members of the upload with their text, then the instants truncated to the microsecond."""

_ABSENT = -1
_SIX_DIGITS = times.read("1970-01-01T00:00:00.000000Z")[1]
"""The time format of `clock.iso`, for times that the server generates."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of one user and metric, in order."""

    user_id: str
    metric: Metric
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns)


def blocks(
    snapshot: Snapshot, query: ExportQuery, selections: Iterable[Selection]
) -> Iterator[Block]:
    """Yield the selected samples, in order."""
    for only in selections:
        found = snapshot.batches(query.metrics, only)
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
    """Yield blocks in lists that have at least this many samples each."""
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


def record_batch(some: Sequence[Block], schema: pa.Schema = SAMPLES) -> pa.RecordBatch:
    """Return the samples of at least one block, with the columns of `SAMPLES` or some of them."""
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
        _formatted(start, start_format),
        _formatted(end, np.where(endless, start_format, end_format), endless),
        pa.array(np.concatenate([block.columns.value for block in some])),
        pa.DictionaryArray.from_arrays(
            pa.array(unit.astype(np.int32)), pa.array(UNITS, pa.string())
        ),
        _timestamps(start),
        _timestamps(end, endless),
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=SAMPLES)
    return batch if schema is SAMPLES else batch.select(schema.names)


def _names(
    tables: Sequence[Sequence[str | None]], which: Int64s, counts: Int64s
) -> pa.DictionaryArray:
    """Merge the blocks' tables of names, and their indexes into them; None becomes null."""
    joined: dict[str, int] = {}
    codes = np.array(
        [
            _ABSENT if name is None else joined.setdefault(name, len(joined))
            for names in tables
            for name in names
        ],
        np.int32,
    )
    begins = np.cumsum([0, *(len(names) for names in tables[:-1])])
    indices = codes[which + np.repeat(begins, counts)]
    mask = indices == _ABSENT if _ABSENT in codes else None
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, mask=mask), pa.array(list(joined), pa.string())
    )


def _formatted(ticks: Int64s, formats: Int64s, absent: Mask | None = None) -> pa.Array:
    """Instants as text, each in its own time format; null where absent."""
    if absent is not None and absent.all():
        return pa.nulls(len(ticks), pa.string())
    chars, begins = format_times(ticks, formats)
    offsets = pa.py_buffer(begins.astype(np.int32))
    bitmap = None if absent is None else pa.array(~absent).buffers()[1]
    return pa.StringArray.from_buffers(len(ticks), offsets, pa.py_buffer(chars), bitmap)


def _timestamps(ticks: Int64s, absent: Mask | None = None) -> pa.Array:
    return pa.array(ticks // TICKS_PER_MICROSECOND, mask=absent).cast(UTC)


def iso(moments: pa.Array) -> pa.Array:
    """Format timestamps as `2026-01-31T08:00:00.000000Z`."""
    ticks = moments.cast(pa.int64()).fill_null(0).to_numpy() * TICKS_PER_MICROSECOND
    absent = moments.is_null().to_numpy(zero_copy_only=False) if moments.null_count else None
    return _formatted(ticks, np.full(len(moments), _SIX_DIGITS), absent)


def with_iso_times(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same rows with timestamps as text."""
    columns = {
        field.name: iso(column) if pa.types.is_timestamp(field.type) else column
        for field, column in zip(batch.schema, batch.columns, strict=True)
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

"""Instants as Arrow columns: text as it was told, timestamps in UTC."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.time_formats import format_times
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_MICROSECOND

_UTC = pa.timestamp("us", "UTC")
_SIX_DIGITS = times.read("1970-01-01T00:00:00.000000Z")[1]
"""How moments are told that nobody told us, as by `clock.iso`."""

Mask = NDArray[np.bool_]


def told(ticks: Int64s, how: Int64s, absent: Mask | None = None) -> pa.Array:
    """Instants as they were told; null where they are absent."""
    if absent is not None and absent.all():
        return pa.nulls(len(ticks), pa.string())
    chars, begins = format_times(ticks, how)
    offsets = pa.py_buffer(begins.astype(np.int32))
    bitmap = None if absent is None else _bitmap(~absent)
    return pa.StringArray.from_buffers(len(ticks), offsets, pa.py_buffer(chars), bitmap)


def stamps(ticks: Int64s, absent: Mask | None = None) -> pa.Array:
    """Instants as timestamps in UTC, cut off at the microsecond."""
    microseconds = ticks // TICKS_PER_MICROSECOND
    return pa.array(microseconds, mask=absent).cast(_UTC)


def iso(moments: pa.Array) -> pa.Array:
    """Timestamps in UTC as text with six digits of a second: `2026-01-31T08:00:00.000000Z`."""
    microseconds = moments.cast(pa.int64()).fill_null(0).to_numpy()
    absent = moments.is_null().to_numpy(zero_copy_only=False) if moments.null_count else None
    return told(microseconds * TICKS_PER_MICROSECOND, np.full(len(moments), _SIX_DIGITS), absent)


def with_iso_times(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with timestamps as text."""
    columns = {
        field.name: iso(column) if pa.types.is_timestamp(field.type) else column
        for field, column in zip(batch.schema, batch.columns, strict=True)
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _bitmap(valid: Mask) -> pa.Buffer:
    return pa.array(valid).buffers()[1]

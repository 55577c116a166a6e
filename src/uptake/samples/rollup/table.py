"""Rollups: what the samples of a stretch of time come to, bucket by bucket."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from uptake.samples.columns import Columns
from uptake.samples.metrics import Aggregation
from uptake.samples.rollup import measures
from uptake.samples.rollup.calendar import FINE, OUTSIDE, SIZES, Calendar, Every
from uptake.samples.rollup.groups import Groups, group
from uptake.samples.rollup.intervals import Flags, Intervals, intervals
from uptake.samples.rollup.measures import Figures, Measure
from uptake.samples.rollup.pieces import Pieces, cut, starting
from uptake.samples.times import Int64s, offset_of
from uptake.time_units import TICKS_PER_DAY


@dataclass(frozen=True, slots=True)
class Way:
    """How samples are rolled up.

    Attributes:
        aggregation: how values combine.
        every: how long a bucket is.
        each: whether every device has rows of its own.
        priority: the places of devices that go before all others when devices are merged.
        explain: whether the parts of devices are told too.
    """

    aggregation: Aggregation
    every: Every
    each: bool
    priority: Mapping[str, int]
    explain: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """What each device has to do with each row.

    Attributes:
        row: which row each part belongs to; parts are in order of row and device.
        device: index of the device.
        count: samples of the device that start in the bucket.
        figures: by name.
    """

    row: Int64s
    device: Int64s
    count: Int64s
    figures: Figures

    def take(self, which: Flags) -> "Parts":
        """Some of them."""
        figures = {name: figure[which] for name, figure in self.figures.items()}
        return Parts(self.row[which], self.device[which], self.count[which], figures)


@dataclass(frozen=True, slots=True)
class Table:
    """A row for each bucket that has a part of a sample, or for each device and bucket.

    Attributes:
        start, end: instants in ticks.
        start_offset, end_offset: ticks east of UTC with which these are told.
        device: index of the device; None when rows are those of all devices.
        count: samples that start in the bucket.
        figures: by name.
        parts: of devices, where they were asked for.
    """

    start: Int64s
    end: Int64s
    start_offset: Int64s
    end_offset: Int64s
    device: Int64s | None
    count: Int64s
    figures: Figures
    parts: Parts | None


def roll_up(columns: Columns, calendar: Calendar, way: Way, most: int) -> Table | None:
    """Roll up samples, each once and in order; None when no bucket has a part of any.

    Args:
        columns: all samples that reach into the buckets, and those of the margin around them.
        calendar: the buckets.
        way: how.
        most: pieces into which samples may be cut.

    Raises:
        TooManyPieces: there would be more.
    """
    some = _intervals(columns, calendar, way)
    pieces = cut(some, calendar, most)
    if not len(pieces.interval):
        return None
    measure = _measure(columns, some, pieces, calendar, way)
    bucket = calendar.bucket[pieces.cell]
    inside = bucket != OUTSIDE
    if not inside.all():
        which = np.flatnonzero(inside)
        if not len(which):
            return None
        pieces, bucket, measure = pieces.take(which), bucket[which], measure.take(which)
    rows = _rows(pieces, bucket, calendar, way, len(columns.devices))
    return Table(
        *_bounds(columns, some, pieces, rows, calendar),
        device=rows.keys[2] if way.each else None,
        count=starting(some, pieces, rows.member, len(rows)),
        figures=measure.over(rows.member, len(rows)),
        parts=_parts(some, pieces, rows, measure, len(columns.devices)) if way.explain else None,
    )


def _intervals(columns: Columns, calendar: Calendar, way: Way) -> Intervals:
    rates = way.aggregation is Aggregation.MEAN
    return intervals(
        columns,
        measures.rates(columns) if rates else measures.amounts(columns),
        SIZES[way.every] if way.every in FINE else TICKS_PER_DAY,
        rates=rates,
        devices=way.each or way.explain or not rates,
        offsets=calendar.offsets is None,
    )


def _measure(
    columns: Columns, some: Intervals, pieces: Pieces, calendar: Calendar, way: Way
) -> Measure:
    if way.aggregation is Aggregation.MEAN:
        return measures.means(some, pieces)
    if way.each:
        return measures.sums_each(some, pieces, explain=way.explain)
    return measures.sums_merged(columns, some, pieces, calendar, way.priority, explain=way.explain)


def _rows(pieces: Pieces, bucket: Int64s, calendar: Calendar, way: Way, devices: int) -> Groups:
    """The rows: by bucket, by offset where that tells buckets apart, and by device."""
    nothing = np.zeros_like(bucket)
    offsets = np.zeros(1, np.int64)
    apart = nothing
    if way.every in FINE and calendar.offsets is None:
        offsets, apart = np.unique(pieces.offset, return_inverse=True)
    device = pieces.device if way.each else nothing
    sizes = [len(calendar.starts), len(offsets), devices if way.each else 1]
    return group([bucket, apart, device], sizes)


def _bounds(
    columns: Columns, some: Intervals, pieces: Pieces, rows: Groups, calendar: Calendar
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Start and end of rows, and the offsets with which both are told."""
    start, end = calendar.starts[rows.keys[0]], calendar.ends[rows.keys[0]]
    if calendar.offsets is not None:
        return start, end, calendar.offsets.at(start), calendar.offsets.at(end)
    # Those of the first sample and of the last.
    offset = offset_of(columns.start_format)
    first, last = np.full(len(rows), len(offset)), np.zeros(len(rows), np.int64)
    if some.starting is None:
        # In the order of samples. Assigned in turn, the last to be assigned stays.
        last[rows.member] = pieces.interval
        first[rows.member[::-1]] = pieces.interval[::-1]
    else:
        np.minimum.at(first, rows.member, some.first[pieces.interval])
        np.maximum.at(last, rows.member, some.last[pieces.interval])
    return start - offset[first], end - offset[last], offset[first], offset[last]


def _parts(some: Intervals, pieces: Pieces, rows: Groups, measure: Measure, devices: int) -> Parts:
    parts = group([rows.member, pieces.device], [len(rows), devices])
    count = starting(some, pieces, parts.member, len(parts))
    row, device = parts.keys
    return Parts(row, device, count, measure.over(parts.member, len(parts)))

"""Rollups: the figures of samples in a range of time, by bucket."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from uptake.samples.columns import Columns
from uptake.samples.metrics import Aggregation
from uptake.samples.rollup import measures, precedence
from uptake.samples.rollup.calendar import FINE, OUTSIDE, SIZES, Calendar, Every
from uptake.samples.rollup.groups import Groups, group
from uptake.samples.rollup.intervals import Flags, combine_long, intervals
from uptake.samples.rollup.measures import Figures, Measure
from uptake.samples.rollup.pieces import Pieces, cut
from uptake.samples.times import Int64s, offset_of
from uptake.time_units import TICKS_PER_DAY


@dataclass(frozen=True, slots=True)
class Way:
    """How samples are rolled up.

    Attributes:
        aggregation: how values combine.
        every: the length of a bucket.
        each: whether each device has its own rows.
        priority: the ranks of devices that precede all others when devices are merged.
        explain: whether the parts of devices are returned too.
    """

    aggregation: Aggregation
    every: Every
    each: bool
    priority: Mapping[str, int]
    explain: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of devices in rows, sorted by row and device.

    Attributes:
        row: index of the row.
        device: index of the device.
        count: samples of the device that start in the bucket.
        figures: by name.
    """

    row: Int64s
    device: Int64s
    count: Int64s
    figures: Figures

    def take(self, which: Flags) -> "Parts":
        """Some of the parts."""
        figures = {name: figure[which] for name, figure in self.figures.items()}
        return Parts(self.row[which], self.device[which], self.count[which], figures)


@dataclass(frozen=True, slots=True)
class Table:
    """A row for each bucket with a part of a sample, or for each device and bucket.

    Attributes:
        start, end: instants in ticks.
        start_offset, end_offset: their offsets in ticks east of UTC.
        device: index of the device; None for rows of all devices.
        count: samples that start in the bucket.
        figures: by name.
        parts: the parts of devices, if requested.
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
    """Rolls up samples; returns None if no bucket has a part of a sample.

    Args:
        columns: all samples that overlap the buckets and their margin, sorted, without repeats.
        calendar: the buckets.
        way: how to roll up.
        most: the largest number of pieces.

    Raises:
        TooManyPieces: there would be more.
    """
    levels = way.aggregation is Aggregation.MEAN
    value = measures.levels(columns) if levels else measures.amounts(columns)
    some = combine_long(
        intervals(columns, value),
        SIZES[way.every] if way.every in FINE else TICKS_PER_DAY,
        levels=levels,
        devices=way.each or way.explain or not levels,
        offsets=calendar.offsets is None,
    )
    pieces = cut(some, calendar, most)
    if not len(pieces.interval):
        return None
    measure = measures.means(pieces) if levels else _sums(columns, pieces, calendar, way)
    bucket = calendar.bucket[pieces.cell]
    inside = bucket != OUTSIDE
    if not inside.all():
        which = np.flatnonzero(inside)
        if not len(which):
            return None
        pieces, bucket, measure = pieces.take(which), bucket[which], measure.take(which)
    rows = _rows(pieces, bucket, calendar, way, len(columns.devices))
    return Table(
        *_bounds(columns, pieces, rows, calendar),
        device=rows.keys[2] if way.each else None,
        count=pieces.starting(rows.member, len(rows)),
        figures=measure.over(rows.member, len(rows)),
        parts=_parts(pieces, rows, measure, len(columns.devices)) if way.explain else None,
    )


def _sums(columns: Columns, pieces: Pieces, calendar: Calendar, way: Way) -> Measure:
    counted = None
    if not (way.each or (pieces.device == pieces.device[0]).all()):
        last = len(way.priority)
        priority = np.array([way.priority.get(name, last) for name in columns.devices])
        competing = measures.competing(columns, pieces)
        counted = precedence.counted(pieces, calendar.day[pieces.cell], priority, competing)
    return measures.sums(pieces, counted, explain=way.explain)


def _rows(pieces: Pieces, bucket: Int64s, calendar: Calendar, way: Way, devices: int) -> Groups:
    """The rows: by bucket, by offset if buckets can differ in it, and by device."""
    nothing = np.zeros_like(bucket)
    offsets = np.zeros(1, np.int64)
    offset = nothing
    if way.every in FINE and calendar.offsets is None:
        offsets, offset = np.unique(pieces.offset, return_inverse=True)
    device = pieces.device if way.each else nothing
    sizes = [len(calendar.starts), len(offsets), devices if way.each else 1]
    return group([bucket, offset, device], sizes)


def _bounds(
    columns: Columns, pieces: Pieces, rows: Groups, calendar: Calendar
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """The starts and ends of rows, and their offsets."""
    start, end = calendar.starts[rows.keys[0]], calendar.ends[rows.keys[0]]
    if calendar.offsets is not None:
        return start, end, calendar.offsets.at(start), calendar.offsets.at(end)
    # The offsets of the first and the last sample.
    offset = offset_of(columns.start_format)
    first, last = np.full(len(rows), len(offset)), np.zeros(len(rows), np.int64)
    some = pieces.intervals
    if some.starting is None:
        # In the order of samples: of several assignments the last one remains.
        last[rows.member] = pieces.interval
        first[rows.member[::-1]] = pieces.interval[::-1]
    else:
        np.minimum.at(first, rows.member, some.first[pieces.interval])
        np.maximum.at(last, rows.member, some.last[pieces.interval])
    return start - offset[first], end - offset[last], offset[first], offset[last]


def _parts(pieces: Pieces, rows: Groups, measure: Measure, devices: int) -> Parts:
    parts = group([rows.member, pieces.device], [len(rows), devices])
    count = pieces.starting(parts.member, len(parts))
    row, device = parts.keys
    return Parts(row, device, count, measure.over(parts.member, len(parts)))

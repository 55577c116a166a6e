"""Rollups: what the samples of a stretch of time come to, bucket by bucket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from uptake.samples.columns import Columns
from uptake.samples.rollup import measures
from uptake.samples.rollup.calendar import OUTSIDE, Calendar
from uptake.samples.rollup.groups import Groups, group
from uptake.samples.rollup.measures import Figures, Measure
from uptake.samples.rollup.pieces import Pieces, cut
from uptake.samples.times import Int64s

Kind = Literal["steps", "bpm"]


@dataclass(frozen=True, slots=True)
class Way:
    """How samples are rolled up.

    Attributes:
        kind: what they measure.
        fine: whether buckets are parts of an hour, and so told apart by their offset.
        each: whether every device has rows of its own.
        priority: the places of devices that go before all others when devices are merged.
        explain: whether the parts of devices are told too.
    """

    kind: Kind
    fine: bool
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
    pieces = cut(columns, calendar, most)
    if not len(pieces.sample):
        return None
    measure = _measure(columns, pieces, calendar, way)
    bucket = calendar.bucket[pieces.cell]
    inside = bucket != OUTSIDE
    if not inside.all():
        which = np.flatnonzero(inside)
        if not len(which):
            return None
        pieces, bucket, measure = pieces.take(which), bucket[which], measure.take(which)
    rows, bounds = _rows(pieces, bucket, calendar, way, len(columns.devices))
    return Table(
        *bounds,
        device=rows.keys[2] if way.each else None,
        count=_starting(pieces, rows.member, len(rows)),
        figures=measure.over(rows.member, len(rows)),
        parts=_parts(pieces, rows, measure, len(columns.devices)) if way.explain else None,
    )


def _measure(columns: Columns, pieces: Pieces, calendar: Calendar, way: Way) -> Measure:
    if way.kind == "bpm":
        return measures.heart_rates(columns, pieces)
    if way.each:
        return measures.steps_each(columns, pieces, explain=way.explain)
    return measures.steps_merged(columns, pieces, calendar, way.priority, explain=way.explain)


def _rows(
    pieces: Pieces, bucket: Int64s, calendar: Calendar, way: Way, devices: int
) -> tuple[Groups, tuple[Int64s, Int64s, Int64s, Int64s]]:
    """The rows, and their start, end, and the offsets of both."""
    nothing = np.zeros_like(bucket)
    offsets = np.zeros(1, np.int64)
    apart = nothing
    if way.fine and calendar.offsets is None:
        offsets, apart = np.unique(pieces.offset, return_inverse=True)
    device = pieces.device if way.each else nothing
    sizes = [len(calendar.starts), len(offsets), devices if way.each else 1]
    rows = group([bucket, apart, device], sizes)
    start, end = calendar.starts[rows.keys[0]], calendar.ends[rows.keys[0]]
    if calendar.offsets is not None:
        return rows, (start, end, calendar.offsets.at(start), calendar.offsets.at(end))
    # Assigned in turn, the last to be assigned stays: first the last of each row, then the first.
    last, first = np.empty((2, len(rows)), np.int64)
    last[rows.member] = pieces.offset
    first[rows.member[::-1]] = pieces.offset[::-1]
    return rows, (start - first, end - last, first, last)


def _parts(pieces: Pieces, rows: Groups, measure: Measure, devices: int) -> Parts:
    parts = group([rows.member, pieces.device], [len(rows), devices])
    count = _starting(pieces, parts.member, len(parts))
    row, device = parts.keys
    return Parts(row, device, count, measure.over(parts.member, len(parts)))


def _starting(pieces: Pieces, member: Int64s, groups: int) -> Int64s:
    return np.bincount(member[pieces.opens], minlength=groups)

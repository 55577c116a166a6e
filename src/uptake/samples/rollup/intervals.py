"""Samples as intervals; long samples that overlap are combined.

A sample in many cells would become as many pieces, and a thousand such samples a thousand times as
many. Long samples are therefore replaced by the ranges between their starts and ends. Each range
combines all samples that overlap in it, with the sum of their amounts a tick, or with the mean, the
lowest and the highest of their levels. This makes at most two intervals for each sample, and at
most one piece for each cell and device.

Whether a sample is long depends only on the sample and the size of a cell, and sums are exact
before they are rounded once. So a bucket is the same to the last digit, whatever else is in the
page.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import Columns
from uptake.samples.rollup.groups import group
from uptake.samples.rollup.ranges import exact_sums, least
from uptake.samples.times import Int64s, offset_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LARGEST = float(np.finfo(np.float64).max)
"""Replaces results that a double cannot represent: `count/s` and the length of a sample have no
limit."""

SCALE = 32
"""Exponent of the power of two by which levels are divided while they are summed."""

LONG_CELLS = 6
"""Cells from which a sample is long. A short one is at most two pieces more."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of one sample or more each.

    Attributes:
        begin, length: in ticks.
        device: index of the device.
        offset: ticks east of UTC of the samples' starts.
        first, last: the indexes of the first and the last of its samples.
        starting: how many samples start at its begin; None for one each.
        samples: how many samples it combines; None for one each.
        value: the amount of the sample, the sum of amounts a tick, or the mean of levels.
        ticks: the ticks of that amount: the length of the sample, or 1 for an amount a tick.
        lowest, highest: of levels; None if all are `value`.
    """

    begin: Int64s
    length: Int64s
    device: Int64s
    offset: Int64s
    first: Int64s
    last: Int64s
    starting: Int64s | None
    samples: Int64s | None
    value: Floats
    ticks: Int64s
    lowest: Floats | None
    highest: Floats | None


def intervals(columns: Columns, value: Floats) -> Intervals:
    """Returns each sample as an interval; `value` is its amount or its level."""
    length = np.maximum(columns.duration, 0)
    offset, order = offset_of(columns.start_format), np.arange(len(length))
    bounds = columns.start, length, columns.device, offset
    return Intervals(*bounds, order, order, None, None, value, length, None, None)


def combine_long(
    samples: Intervals, cell: int, *, levels: bool, devices: bool, offsets: bool
) -> Intervals:
    """Combines long samples that overlap.

    Args:
        samples: as `intervals` returns them for sorted samples without repeats.
        cell: ticks of a cell.
        levels: whether values are levels.
        devices: whether samples of different devices are separate.
        offsets: whether samples with different offsets are separate.
    """
    long = samples.length >= LONG_CELLS * cell
    if not long.any():
        return samples
    which = np.flatnonzero(long)
    nothing = np.zeros_like(which)
    groups = (
        samples.device[which] if devices else nothing,
        samples.offset[which] if offsets else nothing,
    )
    combined = _combined(samples, which, groups, levels=levels)
    if len(which) == len(long):
        return combined
    return _joined(_taken(samples, np.flatnonzero(~long)), combined)


def _taken(some: Intervals, which: Int64s) -> Intervals:
    """Some of the intervals of one sample each."""
    value, ones = some.value[which], np.ones_like(which)
    bounds = (some.begin[which], some.length[which], some.device[which], some.offset[which])
    ticks = some.ticks[which]
    return Intervals(*bounds, which, which, ones, ones, value, ticks, value, value)


def _joined(some: Intervals, others: Intervals) -> Intervals:
    def both(name: str) -> Any:
        return np.concatenate([getattr(some, name), getattr(others, name)])

    return Intervals(**{name: both(name) for name in Intervals.__slots__})


def _combined(
    samples: Intervals, which: Int64s, groups_of: tuple[Int64s, Int64s], *, levels: bool
) -> Intervals:
    """Combines samples that overlap.

    Args:
        samples: all samples.
        which: the indexes of the samples, all with a length.
        groups_of: their devices and offsets; samples are combined if both are equal.
        levels: whether values are levels.
    """
    device, offset = groups_of
    offsets, place = np.unique(offset, return_inverse=True)
    groups = group([device, place], [int(device.max()) + 1, len(offsets)])
    begin, length = samples.begin[which], samples.length[which]
    # Groups are consecutive, so that no range of segments overlaps another group.
    member = np.concatenate([groups.member, groups.member])
    times = np.concatenate([begin, begin + length])
    order = np.lexsort((times, member))
    edges, owner = times[order], member[order]
    new = np.append(True, (edges[1:] != edges[:-1]) | (owner[1:] != owner[:-1]))
    at = np.empty_like(order)
    at[order] = np.cumsum(new) - 1
    edges, owner = edges[new], owner[new]
    count = len(edges)
    first, last = at[: len(which)], at[len(which) :]
    starting = np.bincount(first, minlength=count)
    overlapping = np.cumsum(starting - np.bincount(last, minlength=count))
    there = np.flatnonzero(overlapping)
    value = samples.value[which]

    def lowest(values: Any) -> Any:
        return least(first, last, values, count)[there]

    many = overlapping[there]
    if levels:
        # Scaled by a power of two, which is exact, so that no sum overflows.
        total = exact_sums(first, last, np.ldexp(value, -SCALE), count)[there]
        low, high = lowest(value), -lowest(-value)
        found = np.clip(np.ldexp(total / many, SCALE), low, high)
    else:
        found = np.minimum(exact_sums(first, last, value / length, count)[there], LARGEST)
        low = high = found
    device_of, offset_of_group = (keys[owner[there]] for keys in groups.keys)
    start, span = edges[there], edges[there + 1] - edges[there]
    bounds = start, span, device_of, offsets[offset_of_group]
    indexes, counts = (lowest(which), -lowest(-which)), (starting[there], many)
    return Intervals(*bounds, *indexes, *counts, found, np.ones_like(there), low, high)

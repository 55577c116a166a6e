"""Samples as intervals that are cut by a calendar; long ones that overlap are folded together.

A sample that lies in many cells would be as many pieces, and a thousand such samples a thousand
times as many. So long samples are replaced by the stretches between their starts and ends, each of
which stands for all samples that overlap there: with the sum of their steps a tick, or with the
mean, the lowest and the highest of their heart rates. That makes at most two intervals of each
sample, however they overlap, and as many pieces as there are cells for each device.

Whether a sample is long depends on itself and the size of a cell alone, and sums are worked out
exactly before they are rounded once: so a bucket is the same, to the last digit, whatever else is
worked on with it.
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
"""What is told of more than a double can hold: neither `count/s` nor the length of a sample has a
limit."""

SCALE = 32
"""Power of two by which heart rates are divided while they are summed up."""

LONG_CELLS = 6
"""Cells from which on a sample is long. A short one is at most two pieces more."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals, each of which stands for one sample or more.

    Attributes:
        begin, length: in ticks.
        device: index of the device.
        offset: ticks east of UTC in which the samples' starts were told.
        first, last: which of all samples, in their order, are the first and the last of it.
        starting: how many samples start where it begins; None for one each.
        samples: how many there are in it; None for one each.
        value: the amount of the whole sample; or the sum of amounts a tick; or the mean of rates.
        ticks: the length that an amount is for: that of the sample, or 1 for an amount a tick.
        lowest, highest: of rates; None where they are all `value`.
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


def intervals(  # noqa: PLR0913 - samples, and what keeps them apart
    columns: Columns, value: Floats, cell: int, *, rates: bool, devices: bool, offsets: bool
) -> Intervals:
    """Samples as intervals; long ones that overlap are folded together.

    Args:
        columns: the samples, each once and in order.
        value: of each sample: its amount, or its rate.
        cell: ticks of a cell.
        rates: whether values are rates.
        devices: whether samples of different devices stay apart.
        offsets: whether samples told with different offsets do.
    """
    length = np.maximum(columns.duration, 0)
    long = length >= LONG_CELLS * cell
    offset = offset_of(columns.start_format)
    order = np.arange(len(length))
    one = Intervals(
        columns.start,
        length,
        columns.device,
        offset,
        order,
        order,
        None,
        None,
        value,
        length,
        None,
        None,
    )
    if not long.any():
        return one
    apart = (
        columns.device if devices else np.zeros_like(order),
        offset if offsets else np.zeros_like(order),
    )
    which = np.flatnonzero(long)
    folded = _folded(one, which, (apart[0][which], apart[1][which]), rates=rates)
    if len(which) == len(order):
        return folded
    return _joined(_taken(one, np.flatnonzero(~long)), folded)


def _taken(some: Intervals, which: Int64s) -> Intervals:
    """Some of the intervals that stand for one sample each."""
    value, ones = some.value[which], np.ones_like(which)
    return Intervals(
        some.begin[which],
        some.length[which],
        some.device[which],
        some.offset[which],
        which,
        which,
        ones,
        ones,
        value,
        some.ticks[which],
        value,
        value,
    )


def _joined(some: Intervals, others: Intervals) -> Intervals:
    def both(name: str) -> Any:
        return np.concatenate([getattr(some, name), getattr(others, name)])

    return Intervals(**{name: both(name) for name in Intervals.__slots__})


def _folded(
    samples: Intervals, which: Int64s, apart: tuple[Int64s, Int64s], *, rates: bool
) -> Intervals:
    """These samples, all of some length, folded together where they may be.

    Args:
        samples: all of them.
        which: are meant.
        apart: two numbers of each of these; those in which one differs stay apart.
        rates: whether values are rates.
    """
    device, offset = apart
    offsets, place = np.unique(offset, return_inverse=True)
    groups = group([device, place], [int(device.max()) + 1, len(offsets)])
    begin, length = samples.begin[which], samples.length[which]
    # Groups lie one after the other, so that no range of segments reaches into another's.
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
    if rates:
        # Scaled by a power of two, which changes no digit, so that no sum is too large.
        total = exact_sums(first, last, np.ldexp(value, -SCALE), count)[there]
        low, high = lowest(value), -lowest(-value)
        found = np.clip(np.ldexp(total / many, SCALE), low, high)
    else:
        found = np.minimum(exact_sums(first, last, value / length, count)[there], LARGEST)
        low = high = found
    group_of = owner[there]
    return Intervals(
        edges[there],
        edges[there + 1] - edges[there],
        groups.keys[0][group_of],
        offsets[groups.keys[1][group_of]],
        lowest(which),
        -lowest(-which),
        starting[there],
        many,
        found,
        np.ones_like(there),
        low,
        high,
    )

"""What pieces of samples come to by group: numbers of steps, or heart rates."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from uptake.samples.columns import UNITS, Columns
from uptake.samples.rollup.calendar import Calendar
from uptake.samples.rollup.intervals import LARGEST, Flags, Floats, Intervals
from uptake.samples.rollup.pieces import Pieces
from uptake.samples.rollup.precedence import POINT, counted
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_SECOND

Figures = dict[str, Floats]

POINT_TICKS = TICKS_PER_SECOND
"""What a heart rate without length weighs in a mean beside those that have one: one second."""

_COUNT, _PER_MINUTE, _PER_SECOND = range(len(UNITS))


class Measure(Protocol):
    """What pieces come to."""

    def over(self, member: Int64s, groups: int) -> Figures:
        """The figures of each group, by name.

        Args:
            member: the group that each piece belongs to.
            groups: how many there are; each has at least one piece.
        """
        ...

    def take(self, which: Int64s) -> "Measure":
        """What these pieces come to."""
        ...


class Sums:
    """Numbers of steps: the `sum` of what counts, and what is `left_out` of it."""

    def __init__(self, given: Floats, left_out: Floats | None) -> None:
        self._given, self._left_out = given, left_out

    def over(self, member: Int64s, groups: int) -> Figures:
        """See `Measure.over`."""
        found = {"sum": _sums(member, self._given, groups)}
        if self._left_out is not None:
            found["left_out"] = _sums(member, self._left_out, groups)
        return found

    def take(self, which: Int64s) -> "Sums":
        """See `Measure.take`."""
        left_out = self._left_out
        return Sums(self._given[which], None if left_out is None else left_out[which])


class Means:
    """Beats a minute: `min`, `mean` by time, and `max`."""

    def __init__(self, lowest: Floats, rate: Floats, highest: Floats, weight: Floats) -> None:
        self._lowest, self._rate, self._highest = lowest, rate, highest
        self._weight = weight

    def over(self, member: Int64s, groups: int) -> Figures:
        """See `Measure.over`."""
        lowest, highest = np.full(groups, LARGEST), np.zeros(groups)
        np.minimum.at(lowest, member, self._lowest)
        np.maximum.at(highest, member, self._highest)
        # The weights are made shares first, so that no sum is larger than the largest rate.
        share = self._weight / np.bincount(member, self._weight, groups)[member]
        with np.errstate(over="ignore"):
            mean = np.bincount(member, self._rate * share, groups)
        return {"min": lowest, "mean": np.clip(mean, lowest, highest), "max": highest}

    def take(self, which: Int64s) -> "Means":
        """See `Measure.take`."""
        return Means(
            self._lowest[which], self._rate[which], self._highest[which], self._weight[which]
        )


def _sums(member: Int64s, amounts: Floats, groups: int) -> Floats:
    with np.errstate(over="ignore"):
        sums: Floats = np.minimum(np.bincount(member, amounts, groups), LARGEST)
    return sums


def amounts(columns: Columns) -> Floats:
    """Sums of whole samples; a rate is one over its sample's length."""
    unit = columns.unit
    if not unit.any():
        return columns.value
    seconds = np.maximum(columns.duration, 0) / TICKS_PER_SECOND
    spans = np.choose(unit, [np.ones_like(seconds), seconds / 60, seconds])
    with np.errstate(over="ignore"):
        found: Floats = np.minimum(columns.value * spans, LARGEST)
    return found


def rates(columns: Columns) -> Floats:
    """Heart rates of samples; a plain `count` is taken for beats a minute, as the metric is."""
    rate = columns.value
    if (columns.unit == _PER_SECOND).any():
        with np.errstate(over="ignore"):
            rate = np.where(columns.unit == _PER_SECOND, rate * 60, rate)
    return np.minimum(rate, LARGEST)


def sums_each(some: Intervals, pieces: Pieces, *, explain: bool) -> Sums:
    """The steps of pieces, shared out by time, every device for itself.

    Args:
        some: the intervals that were cut.
        pieces: of these.
        explain: whether it will be told what is left out: nothing.
    """
    amount, ticks, length = _shared(some, pieces)
    given = _given(amount, ticks, length)
    return Sums(given, np.zeros_like(given) if explain else None)


def sums_merged(  # noqa: PLR0913 - what was cut, how, and who goes before whom
    columns: Columns,
    some: Intervals,
    pieces: Pieces,
    calendar: Calendar,
    priority: Mapping[str, int],
    *,
    explain: bool,
) -> Sums:
    """The steps of pieces, shared out by time; where devices overlap, those of one alone.

    Args:
        columns: the samples.
        some: the intervals that stand for them, and were cut.
        pieces: of these.
        calendar: by whose cells they were cut.
        priority: the places of devices that go before all others.
        explain: whether it will be told what is left out.
    """
    device = pieces.device
    if (device == device[0]).all():
        return sums_each(some, pieces, explain=explain)
    amount, ticks, length = _shared(some, pieces)
    competing = _competing(columns, some, pieces)
    won = counted(columns.devices, some, pieces, calendar, priority, competing)
    left_out = _given(amount, ticks - won, length) if explain else None
    return Sums(_given(amount, won, length), left_out)


def means(some: Intervals, pieces: Pieces) -> Means:
    """The heart rates of pieces, each weighing what it lasts, for each of its samples."""
    which = pieces.interval
    weight = np.where(some.length[which] == 0, POINT_TICKS, pieces.end - pieces.begin)
    if some.samples is not None:
        weight = weight * some.samples[which].astype(np.float64)
    rate = some.value[which]
    lowest = rate if some.lowest is None else some.lowest[which]
    highest = rate if some.highest is None else some.highest[which]
    return Means(lowest, rate, highest, weight.astype(np.float64))


def _shared(some: Intervals, pieces: Pieces) -> tuple[Floats, Int64s, Int64s]:
    """The steps of each piece's whole interval, the piece's ticks and those the steps are for."""
    ticks, length = pieces.end - pieces.begin, some.ticks[pieces.interval]
    point = length == 0
    if point.any():
        ticks, length = np.where(point, POINT, ticks), np.where(point, POINT, length)
    return some.value[pieces.interval], ticks, length


def _given(amount: Floats, ticks: Int64s, length: Int64s) -> Floats:
    with np.errstate(over="ignore"):
        given: Floats = np.minimum(amount * (ticks / length), LARGEST)
    return given


def _competing(columns: Columns, some: Intervals, pieces: Pieces) -> Flags | None:
    """Which pieces are steps at all: a rate without length is none. None for all of them."""
    silent = (columns.unit != _COUNT) & (columns.duration <= 0)
    if not silent.any():
        return None
    # What stands for several samples has a length.
    competing: Flags = ~silent[some.first[pieces.interval]]
    return competing

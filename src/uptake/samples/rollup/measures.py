"""The figures of pieces by group: sums of amounts, or levels."""

from typing import Protocol

import numpy as np

from uptake.samples.columns import UNITS, Columns
from uptake.samples.rollup.intervals import LARGEST, Flags, Floats
from uptake.samples.rollup.pieces import Pieces
from uptake.samples.rollup.precedence import POINT
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_SECOND

Figures = dict[str, Floats]

POINT_TICKS = TICKS_PER_SECOND
"""The weight of a level without a length in a mean: one second."""

_COUNT, _PER_MINUTE, _PER_SECOND = range(len(UNITS))


class Measure(Protocol):
    """The figures of pieces."""

    def over(self, member: Int64s, groups: int) -> Figures:
        """Returns the figures of each group, by name.

        Args:
            member: the group of each piece.
            groups: the number of groups; each has at least one piece.
        """
        ...

    def take(self, which: Int64s) -> "Measure":
        """The figures of some of the pieces."""
        ...


class Sums:
    """Amounts: the `sum` of what counts, and of what is `left_out`."""

    def __init__(self, amounts: Figures) -> None:
        self._amounts = amounts

    def over(self, member: Int64s, groups: int) -> Figures:
        """See `Measure.over`."""
        with np.errstate(over="ignore"):
            return {
                name: np.minimum(np.bincount(member, one, groups), LARGEST)
                for name, one in self._amounts.items()
            }

    def take(self, which: Int64s) -> "Sums":
        """See `Measure.take`."""
        return Sums({name: one[which] for name, one in self._amounts.items()})


class Means:
    """Levels: `min`, `mean` weighted by time, and `max`."""

    def __init__(self, lowest: Floats, level: Floats, highest: Floats, weight: Floats) -> None:
        self._levels = lowest, level, highest, weight

    def over(self, member: Int64s, groups: int) -> Figures:
        """See `Measure.over`."""
        lows, levels, highs, weights = self._levels
        lowest, highest = np.full(groups, LARGEST), np.zeros(groups)
        np.minimum.at(lowest, member, lows)
        np.maximum.at(highest, member, highs)
        # Weights are normalised first, so that no sum is larger than the largest level.
        share = weights / np.bincount(member, weights, groups)[member]
        with np.errstate(over="ignore"):
            mean = np.bincount(member, levels * share, groups)
        return {"min": lowest, "mean": np.clip(mean, lowest, highest), "max": highest}

    def take(self, which: Int64s) -> "Means":
        """See `Measure.take`."""
        return Means(*(one[which] for one in self._levels))


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


def levels(columns: Columns) -> Floats:
    """Returns the levels of samples a minute; `count` is read as `count/min`."""
    rate = columns.value
    if (columns.unit == _PER_SECOND).any():
        with np.errstate(over="ignore"):
            rate = np.where(columns.unit == _PER_SECOND, rate * 60, rate)
    return np.minimum(rate, LARGEST)


def sums(pieces: Pieces, counted: Int64s | None, *, explain: bool) -> Sums:
    """Returns the amounts of pieces, in proportion to time.

    Args:
        pieces: the pieces.
        counted: how much of each piece counts (`precedence.counted`); None for all of it.
        explain: whether the figures include what is left out.
    """
    ticks, length = pieces.end - pieces.begin, pieces.intervals.ticks[pieces.interval]
    point = length == 0
    if point.any():
        ticks, length = np.where(point, POINT, ticks), np.where(point, POINT, length)
    amount = pieces.intervals.value[pieces.interval]
    given = _given(amount, ticks if counted is None else counted, length)
    if not explain:
        return Sums({"sum": given})
    left_out = np.zeros_like(given) if counted is None else _given(amount, ticks - counted, length)
    return Sums({"sum": given, "left_out": left_out})


def means(pieces: Pieces) -> Means:
    """Returns the levels of pieces, weighted by time and number of samples."""
    some, which = pieces.intervals, pieces.interval
    weight = np.where(some.length[which] == 0, POINT_TICKS, pieces.end - pieces.begin)
    if some.samples is not None:
        weight = weight * some.samples[which].astype(np.float64)
    rate = some.value[which]
    lowest = rate if some.lowest is None else some.lowest[which]
    highest = rate if some.highest is None else some.highest[which]
    return Means(lowest, rate, highest, weight.astype(np.float64))


def _given(amount: Floats, ticks: Int64s, length: Int64s) -> Floats:
    with np.errstate(over="ignore"):
        given: Floats = np.minimum(amount * (ticks / length), LARGEST)
    return given


def competing(columns: Columns, pieces: Pieces) -> Flags | None:
    """Returns which pieces have an amount, unlike a rate without a length; None for all."""
    empty = (columns.unit != _COUNT) & (columns.duration <= 0)
    if not empty.any():
        return None
    # Combined samples have a length.
    competing: Flags = ~empty[pieces.intervals.first[pieces.interval]]
    return competing

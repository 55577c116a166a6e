"""Intervals divided at the edges of a calendar's cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uptake.samples.rollup.calendar import Calendar
from uptake.samples.rollup.intervals import Intervals
from uptake.samples.times import Int64s

Flags = NDArray[np.bool_]

LAST = np.iinfo(np.int64).max
"""A tick after all others."""


class TooManyPieces(Exception):
    """There would be too many pieces.

    Attributes:
        count: the number of pieces.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@dataclass(frozen=True, slots=True)
class Pieces:
    """The part of each interval in each cell, sorted by interval and cell.

    Attributes:
        intervals: the intervals.
        interval: index of the interval.
        cell: index of the cell.
        begin, end: instants in ticks; equal for a sample without a length.
        opens: whether it is the first piece of its interval.
        device: index of the device.
        offset: ticks east of UTC of the samples' starts.
    """

    intervals: Intervals
    interval: Int64s
    cell: Int64s
    begin: Int64s
    end: Int64s
    opens: Flags
    device: Int64s
    offset: Int64s

    def take(self, which: Int64s) -> "Pieces":
        """The pieces at these places."""
        columns = (getattr(self, name)[which] for name in Pieces.__slots__[1:])
        return Pieces(self.intervals, *columns)

    def starting(self, member: Int64s, groups: int) -> Int64s:
        """Returns how many samples start in the pieces of each group."""
        opening = member[self.opens]
        if self.intervals.starting is None:
            return np.bincount(opening, minlength=groups)
        counts = self.intervals.starting[self.interval[self.opens]]
        return np.bincount(opening, counts, groups).astype(np.int64)


def cut(some: Intervals, calendar: Calendar, most: int) -> Pieces:
    """Divides intervals into pieces; parts outside of the calendar are dropped.

    A sample without a length is one piece, in the cell of its start.

    Args:
        some: the intervals.
        calendar: the cells.
        most: the largest number of pieces.

    Raises:
        TooManyPieces: there would be more.
    """
    begin, length, offset = some.begin, some.length, some.offset
    shift = offset if calendar.offsets is None else np.zeros_like(offset)
    edges = calendar.edges
    first, last = _cells(begin + shift, begin + shift + length, edges)
    if (first == last).all() and first.min() >= 0 and first.max() < len(edges) - 1:
        return _pieces(some, slice(None), first, np.ones(len(first), bool))
    which = np.flatnonzero((last >= 0) & (first < len(edges) - 1))
    first, last = first[which], last[which]
    low, high = np.maximum(first, 0), np.minimum(last, len(edges) - 2)
    counts = high - low + 1
    total = int(counts.sum())
    if total > most:
        raise TooManyPieces(total)
    place = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    cell = np.repeat(low, counts) + place
    found = _pieces(some, np.repeat(which, counts), cell, cell == np.repeat(first, counts))
    # Most samples are in one cell: only divided ones have other bounds than their samples.
    there = np.flatnonzero(np.repeat(first != last, counts))
    moved = shift[found.interval[there]]
    found.begin[there] = np.maximum(found.begin[there], edges[cell[there]] - moved)
    found.end[there] = np.minimum(found.end[there], edges[cell[there] + 1] - moved)
    return found


def _pieces(some: Intervals, which: Any, cell: Int64s, opens: Flags) -> Pieces:
    """Pieces with the bounds of their intervals."""
    begin, length = some.begin[which], some.length[which]
    device, offset = some.device[which], some.offset[which]
    if isinstance(which, slice):
        which = np.arange(len(cell))
    return Pieces(some, which, cell, begin, begin + length, opens, device, offset)


def _cells(start: Int64s, end: Int64s, edges: Int64s) -> tuple[Int64s, Int64s]:
    """The cells in which intervals start and end: -1 before all cells, their number after all.

    An interval that ends on an edge has no part in the cell that begins there.
    """
    if (start[1:] >= start[:-1]).all():
        # Searching few edges among many samples is faster than many samples among few edges.
        bounds = [0, *np.searchsorted(start, edges).tolist(), len(start)]
        first = np.repeat(np.arange(-1, len(edges)), np.diff(bounds))
    else:
        first = np.searchsorted(edges, start, side="right") - 1
    last = first.copy()
    beyond = np.flatnonzero(end > np.append(edges, LAST)[first + 1])
    last[beyond] = np.searchsorted(edges, end[beyond], side="left") - 1
    return first, last

"""Samples cut at the edges of a calendar's cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import Columns
from uptake.samples.rollup.calendar import Calendar
from uptake.samples.times import Int64s, offset_of

Flags = NDArray[np.bool_]

LAST = np.iinfo(np.int64).max
"""A tick after all others."""


class TooManyPieces(Exception):
    """The samples would be cut into more pieces than was allowed."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The part of each sample in each cell, in order of sample and cell.

    Attributes:
        sample: which sample each piece is of.
        cell: which cell it lies in.
        begin, end: instants in ticks; equal for a sample without length.
        opens: whether its sample starts in it.
        length: ticks of the whole sample.
        device: index of its device.
        offset: ticks east of UTC in which its sample's start was told.
    """

    sample: Int64s
    cell: Int64s
    begin: Int64s
    end: Int64s
    opens: Flags
    length: Int64s
    device: Int64s
    offset: Int64s

    def take(self, which: Int64s) -> "Pieces":
        """The pieces at these places."""
        return Pieces(
            self.sample[which],
            self.cell[which],
            self.begin[which],
            self.end[which],
            self.opens[which],
            self.length[which],
            self.device[which],
            self.offset[which],
        )


def cut(columns: Columns, calendar: Calendar, most: int) -> Pieces:
    """Cut samples into pieces; what lies outside the calendar is left out.

    A sample without length is one piece, in the cell in which it starts.

    Args:
        columns: the samples.
        calendar: whose cells they are cut by.
        most: pieces that there may be.

    Raises:
        TooManyPieces: there would be more.
    """
    begin, length = columns.start, np.maximum(columns.duration, 0)
    offset = offset_of(columns.start_told)
    shift = offset if calendar.offsets is None else np.zeros_like(offset)
    edges = calendar.edges
    first, last = _cells(begin + shift, begin + shift + length, edges)
    whole = _Samples(begin, length, columns.device, offset)
    if (first == last).all() and first[0] >= 0 and first[-1] < len(edges) - 1:
        return whole.pieces(slice(None), first, np.ones(len(first), bool))
    sample = np.flatnonzero((last >= 0) & (first < len(edges) - 1))
    first, last = first[sample], last[sample]
    low, high = np.maximum(first, 0), np.minimum(last, len(edges) - 2)
    counts = high - low + 1
    total = int(counts.sum())
    if total > most:
        raise TooManyPieces
    place = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    cell = np.repeat(low, counts) + place
    found = whole.pieces(np.repeat(sample, counts), cell, cell == np.repeat(first, counts))
    # Most samples lie in one cell whole: only what was cut has other bounds than its sample.
    some = np.flatnonzero(np.repeat(first != last, counts))
    moved = shift[found.sample[some]]
    found.begin[some] = np.maximum(found.begin[some], edges[cell[some]] - moved)
    found.end[some] = np.minimum(found.end[some], edges[cell[some] + 1] - moved)
    return found


@dataclass(frozen=True, slots=True)
class _Samples:
    """What pieces take over from their samples."""

    begin: Int64s
    length: Int64s
    device: Int64s
    offset: Int64s

    def pieces(self, sample: Any, cell: Int64s, opens: Flags) -> Pieces:
        """Pieces that have the bounds of these samples."""
        begin, length = self.begin[sample], self.length[sample]
        if isinstance(sample, slice):
            sample = np.arange(len(cell))
        device, offset = self.device[sample], self.offset[sample]
        return Pieces(sample, cell, begin, begin + length, opens, length, device, offset)


def _cells(start: Int64s, end: Int64s, edges: Int64s) -> tuple[Int64s, Int64s]:
    """The cells in which samples start and end: -1 before all of them, their number behind.

    A sample that ends on an edge has no part in the cell that begins there.
    """
    if (start[1:] >= start[:-1]).all():
        # Few edges are found among many samples faster than many samples among few edges.
        bounds = [0, *np.searchsorted(start, edges).tolist(), len(start)]
        first = np.repeat(np.arange(-1, len(edges)), np.diff(bounds))
    else:
        first = np.searchsorted(edges, start, side="right") - 1
    last = first.copy()
    beyond = np.flatnonzero(end > np.append(edges, LAST)[first + 1])
    last[beyond] = np.searchsorted(edges, end[beyond], side="left") - 1
    return first, last

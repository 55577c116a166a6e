"""Samples cut at the edges of a calendar's cells."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import Columns
from uptake.samples.rollup.calendar import Calendar
from uptake.samples.times import Int64s, offset_of

Flags = NDArray[np.bool_]


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

    Raises:
        TooManyPieces: there would be more than `most`.
    """
    begin, length = columns.start, np.maximum(columns.duration, 0)
    offset = offset_of(columns.start_told)
    shift = np.zeros_like(offset) if calendar.offsets is not None else offset
    edges = calendar.edges
    start = begin + shift
    end = start + length
    first = np.searchsorted(edges, start, side="right") - 1
    # A sample that ends on an edge has no part in what begins there.
    last = np.maximum(np.searchsorted(edges, end, side="left") - 1, first)
    inside = (last >= 0) & (first < len(edges) - 1)
    # In a year of samples, few cross an edge: then nothing has to be copied.
    if inside.all() and (first == last).all():
        every = np.arange(len(columns))
        opens = np.ones(len(columns), bool)
        return Pieces(every, first, begin, begin + length, opens, length, columns.device, offset)
    sample = np.flatnonzero(inside)
    first, last = first[sample], last[sample]
    low, high = np.maximum(first, 0), np.minimum(last, len(edges) - 2)
    counts = high - low + 1
    total = int(counts.sum())
    if total > most:
        raise TooManyPieces
    sample = np.repeat(sample, counts)
    place = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    cell = np.repeat(low, counts) + place
    shift = shift[sample]
    return Pieces(
        sample,
        cell,
        np.maximum(start[sample], edges[cell]) - shift,
        np.minimum(end[sample], edges[cell + 1]) - shift,
        cell == np.repeat(first, counts),
        length[sample],
        columns.device[sample],
        offset[sample],
    )

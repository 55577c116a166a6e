"""Which of several devices counts at which moment, and how much of each sample that leaves.

The rule: at every moment, of the devices that have a sample with length there, the one of the
lowest rank counts, with all its samples; the others are left out at that moment. A sample without
length counts unless another device of a lower rank has a sample at its instant, with length or
without; it takes no time away from others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uptake.samples.rollup.ranges import least
from uptake.samples.times import Int64s

NOBODY = np.iinfo(np.int64).max
"""The rank where no device has a sample."""

POINT = 1
"""What is told of a sample without length that counts, which has no ticks."""

SHORT = 4
"""Segments up to which it is faster to look at each of a sample's. Most samples overlap few others,
but some may overlap any number."""


@dataclass(frozen=True, slots=True)
class _Segments:
    """Time, cut wherever a sample begins or ends, and who counts in each piece of it.

    Attributes:
        edges: in ticks; one more than there are segments.
        first, last: of each sample, the segments [first, last) that it covers.
        rank: the lowest rank that has a sample there, or `NOBODY`.
        owner: whose rank that is, or -1.
    """

    edges: Int64s
    first: Int64s
    last: Int64s
    rank: Int64s
    owner: Int64s


def counting(begin: Int64s, end: Int64s, device: Int64s, rank: Int64s, owner: Int64s) -> Int64s:
    """How much of each sample counts.

    Args:
        begin: instants of samples in ticks.
        end: likewise; equal to the beginning for those without length.
        device: of each sample.
        rank: of each sample's device at that time.
        owner: the device of each rank.

    Returns:
        Ticks; for samples without length, `POINT` or 0.
    """
    long = end > begin
    if not len(long):
        return np.empty_like(begin)
    if long.all():
        return _won(_segments(begin, end, rank, owner), device)
    found = np.empty_like(begin)
    over = None
    if long.any():
        over = _segments(begin[long], end[long], rank[long], owner)
        found[long] = _won(over, device[long])
    at = ~long
    found[at] = _standing(over, begin[at], rank[at], device[at], owner)
    return found


def _segments(begin: Int64s, end: Int64s, rank: Int64s, owner: Int64s) -> _Segments:
    both = np.concatenate([begin, end])
    # Stable, as that is fast for what is in order already, of which there is much here.
    order = np.argsort(both, kind="stable")
    edges = both[order]
    new = np.append(True, edges[1:] != edges[:-1])
    place = np.empty_like(order)
    place[order] = np.cumsum(new) - 1
    first, last, edges = place[: len(begin)], place[len(begin) :], edges[new]
    lowest = least(first, last, rank, len(edges) - 1)
    owners = np.append(owner, -1)[np.minimum(lowest, len(owner))]
    return _Segments(edges, first, last, lowest, owners)


def _won(segments: _Segments, device: Int64s) -> Int64s:
    """The ticks of each sample in the segments in which its device counts."""
    ticks = np.diff(segments.edges)
    span = segments.last - segments.first
    won = np.zeros_like(span)
    which = np.arange(len(span))
    for place in range(SHORT):
        segment = segments.first[which] + place
        won[which] += np.where(segments.owner[segment] == device[which], ticks[segment], 0)
        which = which[span[which] > place + 1]
        if not len(which):
            return won
    won[which] = _won_by_long(segments, which, device[which], ticks)
    return won


def _won_by_long(segments: _Segments, which: Int64s, device: Int64s, ticks: Int64s) -> Int64s:
    """The same of some samples that may cover any number of segments."""
    count = len(segments.owner)
    order = np.argsort(segments.owner, kind="stable")[np.count_nonzero(segments.owner < 0) :]
    # The segments of one device after those of another, each in order of time.
    key = segments.owner[order] * count + order
    before = np.append(0, np.cumsum(ticks[order]))
    first = np.searchsorted(key, segments.first[which] + device * count)
    last = np.searchsorted(key, segments.last[which] + device * count)
    won: Int64s = before[last] - before[first]
    return won


def _standing(
    over: _Segments | None, at: Int64s, rank: Int64s, device: Int64s, owner: Int64s
) -> NDArray[np.bool_]:
    """Which of the samples without length count."""
    instants, place = np.unique(at, return_inverse=True)
    lowest = np.full(len(instants), NOBODY)
    np.minimum.at(lowest, place, rank)
    if over is not None:
        segment = np.searchsorted(over.edges, instants, side="right") - 1
        inside = (segment >= 0) & (segment < len(over.rank))
        covering = over.rank[np.clip(segment, 0, len(over.rank) - 1)]
        lowest = np.where(inside, np.minimum(lowest, covering), lowest)
    standing: NDArray[np.bool_] = owner[lowest[place]] == device
    return standing

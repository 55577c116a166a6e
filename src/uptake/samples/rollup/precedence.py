"""Which device counts at which time, and how much of each sample that is.

At every time, of the devices that have a sample with a length, the one of the lowest rank counts,
with all its samples; the others are left out at that time. A sample without a length counts unless
a device of a lower rank has a sample at its instant, with or without a length; it does not displace
others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uptake.samples.rollup.groups import group
from uptake.samples.rollup.pieces import Flags, Pieces
from uptake.samples.rollup.ranges import least
from uptake.samples.times import Int64s

NO_DEVICE = np.iinfo(np.int64).max
"""The rank of a time without samples."""

POINT = 1
"""What `counting` returns for a sample without a length, which has no ticks."""

SHORT = 4
"""Segments of a sample up to which a loop over them is faster. Most samples overlap few others, but
some may overlap any number."""


@dataclass(frozen=True, slots=True)
class _Segments:
    """Time, divided at the begin and end of each sample, and the device that counts in each part.

    Attributes:
        edges: the edges of the segments, in ticks.
        first, last: the segments [first, last) of each sample.
        rank: the lowest rank in each segment, or `NO_DEVICE`.
        owner: the device of that rank, or -1.
    """

    edges: Int64s
    first: Int64s
    last: Int64s
    rank: Int64s
    owner: Int64s


def counting(begin: Int64s, end: Int64s, device: Int64s, rank: Int64s, owner: Int64s) -> Int64s:
    """Returns how much of each sample counts.

    Args:
        begin: the begin of each sample, in ticks.
        end: the end of each sample; equal to `begin` for those without a length.
        device: the device of each sample.
        rank: the rank of that device at that time.
        owner: the device of each rank.

    Returns:
        Ticks; `POINT` or 0 for samples without a length.
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
    found[at] = _counting_points(over, begin[at], rank[at], device[at], owner)
    return found


def _segments(begin: Int64s, end: Int64s, rank: Int64s, owner: Int64s) -> _Segments:
    both = np.concatenate([begin, end])
    # Stable sorts are fast for data that is mostly sorted.
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
    """The ticks of each sample in segments in which its device counts."""
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
    """`_won` for samples with any number of segments."""
    count = len(segments.owner)
    order = np.argsort(segments.owner, kind="stable")[np.count_nonzero(segments.owner < 0) :]
    # Segments by device, then by time.
    key = segments.owner[order] * count + order
    before = np.append(0, np.cumsum(ticks[order]))
    first = np.searchsorted(key, segments.first[which] + device * count)
    last = np.searchsorted(key, segments.last[which] + device * count)
    won: Int64s = before[last] - before[first]
    return won


def _counting_points(
    over: _Segments | None, at: Int64s, rank: Int64s, device: Int64s, owner: Int64s
) -> NDArray[np.bool_]:
    """Which of the samples without a length count."""
    instants, place = np.unique(at, return_inverse=True)
    lowest = np.full(len(instants), NO_DEVICE)
    np.minimum.at(lowest, place, rank)
    if over is not None:
        segment = np.searchsorted(over.edges, instants, side="right") - 1
        inside = (segment >= 0) & (segment < len(over.rank))
        covering = over.rank[np.clip(segment, 0, len(over.rank) - 1)]
        lowest = np.where(inside, np.minimum(lowest, covering), lowest)
    counts: NDArray[np.bool_] = owner[lowest[place]] == device
    return counts


def counted(pieces: Pieces, day: Int64s, priority: Int64s, competes: Flags | None) -> Int64s | None:
    """Returns how much of each piece counts when devices are merged.

    Args:
        pieces: the pieces.
        day: the local day of each piece.
        priority: the rank of each device before its samples are compared.
        competes: the pieces that can displace others or be displaced; None for all.

    Returns:
        Ticks; `POINT` or 0 for pieces without a length.
    """
    rank, owner = _ranks(pieces, day, priority)
    begin, end, device = pieces.begin, pieces.end, pieces.device
    if competes is None:
        return counting(begin, end, device, rank, owner)
    found = np.full(len(rank), POINT)
    found[competes] = counting(
        begin[competes], end[competes], device[competes], rank[competes], owner
    )
    return found


def _ranks(pieces: Pieces, day: Int64s, priority: Int64s) -> tuple[Int64s, Int64s]:
    """The rank of each piece's device on the piece's local day, and the device of each rank.

    Devices with a lower `priority` come first, then those with the most samples that start on that
    day, then those with the first name.
    """
    first = int(day.min())
    groups = group([pieces.device, day - first], [len(priority), int(day.max()) - first + 1])
    device = groups.keys[0]
    count = pieces.starting(groups.member, len(groups))
    order = np.lexsort((device, -count, priority[device]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[groups.member], device[order]

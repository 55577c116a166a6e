"""Which device goes before which, and what of their samples counts for it."""

from collections.abc import Mapping

import numpy as np

from uptake.samples.rollup.calendar import Calendar
from uptake.samples.rollup.coverage import POINT, counting
from uptake.samples.rollup.groups import group
from uptake.samples.rollup.intervals import Flags, Intervals
from uptake.samples.rollup.pieces import Pieces, starting
from uptake.samples.times import Int64s


def counted(  # noqa: PLR0913, PLR0917 - what was cut, how, and who goes before whom
    names: tuple[str, ...],
    some: Intervals,
    pieces: Pieces,
    calendar: Calendar,
    priority: Mapping[str, int],
    competes: Flags | None,
) -> Int64s:
    """How much of each piece counts when devices are merged.

    Args:
        names: of the devices.
        some: the intervals that were cut.
        pieces: of these.
        calendar: by whose cells they were cut.
        priority: the places of devices that go before all others.
        competes: which pieces leave out others, or are left out; None for all.

    Returns:
        Ticks; `POINT` or 0 for those without length.
    """
    rank, owner = _ranks(names, some, pieces, calendar.day[pieces.cell], priority)
    if competes is None:
        return counting(pieces.begin, pieces.end, pieces.device, rank, owner)
    found = np.full(len(rank), POINT)
    found[competes] = counting(
        pieces.begin[competes],
        pieces.end[competes],
        pieces.device[competes],
        rank[competes],
        owner,
    )
    return found


def _ranks(
    names: tuple[str, ...],
    some: Intervals,
    pieces: Pieces,
    day: Int64s,
    priority: Mapping[str, int],
) -> tuple[Int64s, Int64s]:
    """The rank of each piece's device on the piece's local day, and the device of each rank.

    First comes what has a place in `priority`, then the device with the most samples that start on
    that day, then the device whose name comes first.
    """
    first = int(day.min())
    groups = group([pieces.device, day - first], [len(names), int(day.max()) - first + 1])
    device = groups.keys[0]
    count = starting(some, pieces, groups.member, len(groups))
    place = np.array([priority.get(name, len(priority)) for name in names])[device]
    order = np.lexsort((device, -count, place))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[groups.member], device[order]

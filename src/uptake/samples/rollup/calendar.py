"""A stretch of time as the clock in question shows it, cut into cells, and cells into buckets.

A clock is either that of a time zone or each sample's own. Times on the former are instants; on the
latter they are readings, as every sample has an offset of its own: instant plus offset.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from uptake.samples import zones
from uptake.samples.times import Int64s
from uptake.samples.zones import Offsets
from uptake.time_units import TICKS_PER_DAY, TICKS_PER_HOUR, TICKS_PER_MINUTE

Every = Literal["minute", "hour", "day", "week", "month"]

SIZES: dict[Every, int] = {
    "minute": TICKS_PER_MINUTE,
    "hour": TICKS_PER_HOUR,
    "day": TICKS_PER_DAY,
    "week": 7 * TICKS_PER_DAY,
    "month": 31 * TICKS_PER_DAY,
}
"""Ticks of a bucket at most, changes of clocks apart."""

FINE: tuple[Every, ...] = ("minute", "hour")
"""Buckets of which there may be two with the same reading of the clock."""

MONDAY = 3
"""1970-01-01 was a Thursday: so many days after a Monday, with which a week begins (ISO 8601)."""

OUTSIDE = -1
"""The bucket of cells in the margin."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Cells and buckets, in order and without gaps.

    Attributes:
        edges: of the cells, in ticks; one more than there are cells.
        day: the local day of each cell, counted from 1970-01-01.
        bucket: which bucket each cell belongs to, or `OUTSIDE`. A cell is never longer than a day.
        starts, ends: of the buckets, in ticks.
        offsets: of the zone; None where every sample has its own.
    """

    edges: Int64s
    day: Int64s
    bucket: Int64s
    starts: Int64s
    ends: Int64s
    offsets: Offsets | None


def calendar(every: Every, low: int, high: int, zone: str | None, margin: int) -> Calendar:
    """All buckets with a part in [low, high).

    Args:
        every: how long a bucket is.
        low: ticks on the clock.
        high: likewise.
        zone: of the clock; None for each sample's own.
        margin: days before the first bucket and after the last that have cells too.
    """
    reach = (margin + 2) * TICKS_PER_DAY + SIZES[every]
    offsets = None if zone is None else zones.offsets(zone, low - reach, high + reach)
    made = _fine if every in FINE else _whole
    return made(every, low, high, offsets, margin)


def _whole(every: Every, low: int, high: int, offsets: Offsets | None, margin: int) -> Calendar:
    """Buckets of whole days."""
    first, last = _numbers(every, _days(np.array([low, high - 1]), offsets)).tolist()
    turns = _first_days(every, np.arange(first, last + 2))
    days = np.arange(turns[0] - margin, turns[-1] + margin + 1)
    edges, days = _cells(days, offsets)
    bucket = _numbers(every, days) - first
    bucket[(bucket < 0) | (bucket > last - first)] = OUTSIDE
    bounds = _begin(turns * TICKS_PER_DAY, offsets)
    return Calendar(edges, days, bucket, bounds[:-1], bounds[1:], offsets)


def _fine(every: Every, low: int, high: int, offsets: Offsets | None, margin: int) -> Calendar:
    """Buckets of hours or minutes, and whole days in the margin."""
    size = SIZES[every]
    if offsets is None:
        bounds = np.arange(low // size * size, high + size, size, dtype=np.int64)
    else:
        bounds = offsets.grid(low, high, size)
    first, last = _days(bounds[[0, -1]], offsets).tolist()
    turns, days = _cells(np.arange(first - margin, last + margin + 2), offsets)
    before, after = turns[turns < bounds[0]], turns[turns > bounds[-1]]
    edges = np.concatenate([before, bounds, after])
    bucket = np.full(len(edges) - 1, OUTSIDE)
    bucket[len(before) : len(before) + len(bounds) - 1] = np.arange(len(bounds) - 1)
    day = days[np.searchsorted(turns, edges[:-1], side="right") - 1]
    return Calendar(edges, day, bucket, bounds[:-1], bounds[1:], offsets)


def _cells(days: Int64s, offsets: Offsets | None) -> tuple[Int64s, Int64s]:
    """The edges of these days, and the days but the last; a day that clocks skipped is none."""
    edges = _begin(days * TICKS_PER_DAY, offsets)
    there = np.append(np.diff(edges) > 0, True)
    return edges[there], days[:-1][there[:-1]]


def _begin(readings: Int64s, offsets: Offsets | None) -> Int64s:
    return readings if offsets is None else offsets.begin(readings)


def _days(times: Int64s, offsets: Offsets | None) -> Int64s:
    """The local day of each time on the clock."""
    if offsets is None:
        return times // TICKS_PER_DAY
    # Where clocks went back over midnight, the day that had begun goes on.
    guess = (times + offsets.at(times)) // TICKS_PER_DAY
    return np.where(offsets.begin((guess + 1) * TICKS_PER_DAY) <= times, guess + 1, guess)


def _numbers(every: Every, days: Int64s) -> Int64s:
    """Which week or month since the epoch each day belongs to."""
    if every == "week":
        return (days + MONDAY) // 7
    if every == "month":
        return days.astype("M8[D]").astype("M8[M]").astype(np.int64)
    return days


def _first_days(every: Every, numbers: Int64s) -> Int64s:
    if every == "week":
        return numbers * 7 - MONDAY
    if every == "month":
        return numbers.astype("M8[M]").astype("M8[D]").astype(np.int64)
    return numbers

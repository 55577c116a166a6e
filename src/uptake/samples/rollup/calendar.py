"""A range of time on a clock, divided into cells, and cells grouped into buckets.

The clock is that of a time zone, or each sample's own. Times on a zone's clock are instants. Times
on samples' own clocks are readings, the instant plus the offset of the sample.
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
"""The most ticks of a bucket, without changes of the clock."""

FINE: tuple[Every, ...] = ("minute", "hour")
"""Buckets of which two can have the same reading of the clock."""

MONDAY = 3
"""Days from Monday, on which a week begins (ISO 8601), to 1970-01-01, a Thursday."""

OUTSIDE = -1
"""The bucket of cells in the margin."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Cells and buckets, sorted and without gaps.

    Attributes:
        edges: the edges of the cells, in ticks. A cell is never longer than a day.
        day: the local day of each cell, counted from 1970-01-01.
        bucket: the bucket of each cell, or `OUTSIDE`.
        starts, ends: the bounds of the buckets, in ticks.
        offsets: of the zone; None for samples' own clocks.
    """

    edges: Int64s
    day: Int64s
    bucket: Int64s
    starts: Int64s
    ends: Int64s
    offsets: Offsets | None


def calendar(every: Every, low: int, high: int, zone: str | None, margin: int) -> Calendar:
    """Returns all buckets with a part in [low, high), in ticks on the clock.

    Args:
        every: the length of a bucket.
        low: the begin.
        high: the end.
        zone: the zone of the clock; None for each sample's own.
        margin: days with cells before the first bucket and after the last.
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
    """Buckets of hours or minutes, and days in the margin."""
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
    """The edges of days and the days, without the last and without skipped days."""
    edges = _begin(days * TICKS_PER_DAY, offsets)
    there = np.append(np.diff(edges) > 0, True)
    return edges[there], days[:-1][there[:-1]]


def _begin(readings: Int64s, offsets: Offsets | None) -> Int64s:
    return readings if offsets is None else offsets.begin(readings)


def _days(times: Int64s, offsets: Offsets | None) -> Int64s:
    """The local day of each time on the clock."""
    if offsets is None:
        return times // TICKS_PER_DAY
    # If clocks went back over midnight, the new day continues.
    guess = (times + offsets.at(times)) // TICKS_PER_DAY
    return np.where(offsets.begin((guess + 1) * TICKS_PER_DAY) <= times, guess + 1, guess)


def _numbers(every: Every, days: Int64s) -> Int64s:
    """The week or month of each day, counted from the epoch."""
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

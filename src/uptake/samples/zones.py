"""The clocks of time zones, as spans of constant offset from UTC."""

import importlib.resources
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_SECOND

CACHED_YEARS = 8192
"""Cached years of zones, a few hundred bytes each."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_HIGHEST = (datetime(9999, 12, 30, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
"""The seconds that `datetime` can represent in every zone; the offsets there apply beyond them."""

_STEP = 3 * 86_400
"""Seconds between two samples of a clock. No two changes of the IANA database are closer together
(`tests/samples/test_zones.py` checks all of them)."""

_ALWAYS = -(1 << 62)


@cache
def names() -> frozenset[str]:
    """The names of all IANA time zones, links included."""
    return frozenset((importlib.resources.files("tzdata") / "zones").read_text().split())


MAX_NAME = 100
"""Characters of a name for which a similar one is searched; IANA names are shorter."""


def hint(name: str) -> str:
    """The end of a message about a zone that does not exist: the nearest name, if any.

    A city alone and a name in another spelling (`berlin`) are completed.
    """
    known = {one.lower(): one for one in sorted(names())}
    cities = {one.rpartition("/")[2]: full for one, full in known.items()}
    given = name[:MAX_NAME].lower().replace(" ", "_")
    found = get_close_matches(given, known, 1) or get_close_matches(given, cities, 1)
    return f"; did you mean {known.get(found[0]) or cities[found[0]]}?" if found else ""


@dataclass(frozen=True, slots=True)
class Offsets:
    """The offsets of a zone in a range of time.

    Attributes:
        since: the instants in ticks from which each offset applies; the first is before all times.
        offset: ticks east of UTC.
    """

    since: Int64s
    offset: Int64s

    def at(self, instants: Int64s) -> Int64s:
        """The offset at each instant."""
        return self.offset[np.searchsorted(self.since, instants, side="right") - 1]

    def begin(self, readings: Int64s) -> Int64s:
        """The first instant at which clocks show each reading or a later one.

        A reading that clocks show twice is the first instant; a skipped reading is the instant of
        the change.
        """
        until = np.append(self.since[1:], -_ALWAYS)
        shown = np.maximum.accumulate(until + self.offset)
        span = np.searchsorted(shown, readings, side="right")
        span = np.minimum(span, len(self.since) - 1)
        instants: Int64s = np.maximum(readings - self.offset[span], self.since[span])
        return instants

    def grid(self, low: int, high: int, size: int) -> Int64s:
        """The edges of hours or minutes on a clock in a range of time.

        Every multiple of `size` on the clock is an edge, and every change of the offset.

        Args:
            low: an instant in ticks, at or after the first edge.
            high: an instant at or before the last edge.
            size: ticks.
        """
        first, last = np.searchsorted(self.since, [low, high], side="right") - 1
        until = np.append(self.since[1:], -_ALWAYS)
        parts = []
        for span in range(first, last + 1):
            since, offset = int(self.since[span]), int(self.offset[span])
            begin = (max(since, low) + offset) // size * size - offset
            edges = np.arange(begin, min(int(until[span]), high + size), size, dtype=np.int64)
            parts.append(np.maximum(edges, since))
        end = min(int(parts[-1][-1] + offset) // size * size + size - offset, int(until[last]))
        return np.append(np.concatenate(parts), end)


def offsets(zone: str, low: int, high: int) -> Offsets:
    """The offsets of a zone in a range of time; those outside of it may be wrong.

    Args:
        zone: one of `names`.
        low: the first instant, in ticks.
        high: the last.
    """
    years = range(_year(low), _year(high) + 1)
    since, offset = [_ALWAYS], [_offset(ZoneInfo(zone), _new_year(years[0]))]
    for year in years:
        for moment, changed in _changes(zone, year):
            since.append(moment * TICKS_PER_SECOND)
            offset.append(changed)
    return Offsets(np.array(since, np.int64), np.array(offset, np.int64) * TICKS_PER_SECOND)


def _year(ticks: int) -> int:
    second = min(max(ticks // TICKS_PER_SECOND, _LOWEST), _HIGHEST)
    return (_EPOCH + timedelta(seconds=second)).year


def _new_year(year: int) -> int:
    return int(np.datetime64(f"{year:04d}-01-01", "s").astype(np.int64))


def _offset(zone: ZoneInfo, second: int) -> int:
    """Seconds east of UTC at an instant in seconds since the epoch."""
    moment = _EPOCH + timedelta(seconds=min(max(second, _LOWEST), _HIGHEST))
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(seconds=1)


@lru_cache(maxsize=CACHED_YEARS)
def _changes(name: str, year: int) -> tuple[tuple[int, int], ...]:
    """The instants of a UTC year at which the offset changes, and the new offsets, in seconds."""
    zone = ZoneInfo(name)
    found = []
    last, end = _new_year(year), _new_year(year + 1)
    offset = _offset(zone, last)
    for second in (*range(last + _STEP, end, _STEP), end):
        changed = _offset(zone, second)
        if changed != offset:
            found.append((_first_with(zone, changed, last, second), changed))
        last, offset = second, changed
    return tuple(found)


def _first_with(zone: ZoneInfo, offset: int, low: int, high: int) -> int:
    """The first second in (low, high] with this offset."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            high = middle
        else:
            low = middle
    return high

"""What there is of a user's samples, device by device and day by day, for comparing with others."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from msgspec import Struct, field

from uptake.reading import Day, Unknown, from_cursor, to_cursor
from uptake.reading.bounds import ANSWER_BYTES, ANSWER_MEMORY, TooMuch, json_bytes
from uptake.reading.stretches import EARLIEST, LATEST, series
from uptake.samples import times
from uptake.samples.columns import Columns
from uptake.samples.digests import DayTotals, Words, day_totals
from uptake.samples.metrics import Metric
from uptake.samples.times import Int64s
from uptake.store.base import ItemQueries
from uptake.time_units import TICKS_PER_DAY

DEVICE_BYTES = 150
GAP_BYTES = 45
DAY_BYTES = 85
"""What a device without its name, a gap and a day take in an answer."""


class SyncGap(Struct, frozen=True, gc=False):
    """Days of UTC in a row without any sample: from the first of them until before `to`."""

    begin: str = field(name="from")
    end: str = field(name="to")


class SyncDay(Struct, frozen=True, gc=False):
    """The samples of a device that start on a day of UTC: how many, and their digest."""

    day: str
    count: int
    digest: str


class SyncDevice(Struct, frozen=True):
    """The samples of a device.

    Attributes:
        device_name: of the device.
        count: how many there are.
        first, last: when the first and the last of them start, as they were told.
        gaps: days between these without any.
        days: those of this page.
    """

    device_name: str
    count: int
    first: str
    last: str
    gaps: list[SyncGap]
    days: list[SyncDay]


class SyncState(Struct, frozen=True):
    """Devices in order of name; the days are told in pages, all else on every page."""

    user_id: str
    metric: Metric
    devices: list[SyncDevice]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Days:
    """The days of all devices, in order of day.

    Attributes:
        day: since 1970-01-01, UTC.
        device: the number of the device.
        count: samples.
        digest: two words each.
    """

    day: Int64s
    device: Int64s
    count: Int64s
    digest: Words

    def of(self, which: Int64s) -> Iterator[tuple[int, SyncDay]]:
        """These days, each with the number of its device."""
        for device, day, count, high, low in zip(
            self.device[which].tolist(),
            _told(self.day[which]),
            self.count[which].tolist(),
            *self.digest[:, which].tolist(),
            strict=True,
        ):
            yield device, SyncDay(day, count, f"{high:016x}{low:016x}")


class _Devices:
    """What was found of each device."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._bounds: list[list[str]] = []
        self._found: list[DayTotals] = []

    def add(self, columns: Columns) -> None:
        """Take in samples that start after all those before, no day divided."""
        totals = day_totals(columns)
        numbers = np.zeros(len(columns.devices), np.int64)
        # The first of each device, and the last: of those that are assigned in turn the last stays.
        order = np.arange(len(columns))
        first, last = np.full((2, len(columns.devices)), -1)
        last[columns.device] = order
        first[columns.device[::-1]] = order[::-1]
        present = np.flatnonzero(last >= 0)
        first, last = first[present], last[present]
        starts, ends = (
            map(times.format_time, columns.start[at].tolist(), columns.start_format[at].tolist())
            for at in (first, last)
        )
        for place, start, end in zip(present.tolist(), starts, ends, strict=True):
            number = self._number.setdefault(columns.devices[place], len(self._bounds))
            if number == len(self._bounds):
                self._bounds.append([start, end])
            self._bounds[number][1] = end
            numbers[place] = number
        self._found.append(replace(totals, device=numbers[totals.device]))

    def days(self) -> _Days:
        """All of their days."""
        if not self._found:
            nothing = np.zeros(0, np.int64)
            return _Days(nothing, nothing, nothing, np.zeros((2, 0), np.uint64))
        device, day, count, digest = (
            np.concatenate([getattr(one, name) for one in self._found], axis=-1)
            for name in ("device", "day", "count", "digest")
        )
        order = np.argsort(day, kind="stable")
        return _Days(day[order], device[order], count[order], digest[:, order])

    def told(self, days: _Days, shown: Int64s) -> list[SyncDevice]:
        """All of them in order of name, with the days that are shown."""
        gaps, mine = (defaultdict[int, list[Any]](list) for _ in "ab")
        for device, gap in _gaps(days):
            gaps[device].append(gap)
        for device, day in days.of(shown):
            mine[device].append(day)
        counts = np.zeros(len(self._bounds), np.int64)
        np.add.at(counts, days.device, days.count)
        found = []
        total = counts.tolist()
        for name, number in sorted(self._number.items()):
            first, last = self._bounds[number]
            found.append(SyncDevice(name, total[number], first, last, gaps[number], mine[number]))
        return found

    def size(self, days: _Days) -> int:
        """Bytes of all but the days, about."""
        names = sum(map(json_bytes, self._number))
        return names + DEVICE_BYTES * len(self._number) + GAP_BYTES * len(_breaks(days)[0])


def _breaks(days: _Days) -> tuple[Int64s, Int64s]:
    """Pairs of days of a device that follow each other, but not at once."""
    order = np.argsort(days.device, kind="stable")
    same = days.device[order[1:]] == days.device[order[:-1]]
    apart = np.flatnonzero(same & (np.diff(days.day[order]) > 1))
    return order[apart], order[apart + 1]


def _gaps(days: _Days) -> Iterator[tuple[int, SyncGap]]:
    before, after = _breaks(days)
    texts = zip(_told(days.day[before] + 1), _told(days.day[after]), strict=True)
    for device, (begin, end) in zip(days.device[before].tolist(), texts, strict=True):
        yield device, SyncGap(begin, end)


def page(  # noqa: PLR0913 - what can be asked for
    store: ItemQueries,
    project: str,
    user_id: str,
    metric: Metric,
    *,
    start: int = EARLIEST,
    end: int = LATEST,
    cursor: str | None,
    limit: int,
    memory: int = ANSWER_MEMORY,
) -> SyncState:
    """The samples that start in [start, end), and at most `limit` of their days from a cursor on.

    Raises:
        Unknown: there is no such user.
        BadCursor: the cursor was not given by this server.
        TooMuch: there are too many devices or samples.
    """
    after: int | None = from_cursor(cursor, Day) if cursor else None
    if store.user(project, user_id) is None:
        raise Unknown(user_id)
    found = series(store, project, user_id, metric, memory)
    devices = _Devices()
    for columns in found.days(start, end, TICKS_PER_DAY) if found else ():
        devices.add(columns)
    days = devices.days()
    size = devices.size(days)
    if size > ANSWER_BYTES:
        raise TooMuch(f"The devices alone take {size} bytes: ask for a later `from`, a nearer `to`")
    first = 0 if after is None else int(np.searchsorted(days.day, after, side="right"))
    last = first + _fitting(days.day[first:], limit, (ANSWER_BYTES - size) // DAY_BYTES)
    told = devices.told(days, np.arange(first, last))
    following = to_cursor(int(days.day[last - 1])) if last < len(days.day) else None
    return SyncState(user_id, metric, told, following)


def _fitting(day: Int64s, limit: int, room: int) -> int:
    """How many entries the first days have: at most so many days, that fit; at least one."""
    begins = np.append(np.flatnonzero(np.append(True, day[1:] != day[:-1])[: len(day)]), len(day))
    fits = int(np.searchsorted(begins, room, side="right")) - 1
    return int(begins[min(max(fits, 1), limit, len(begins) - 1)])


def _told(days: Int64s) -> list[str]:
    """Days since 1970-01-01 as ISO 8601; beyond the year 9999 with a sign (4.3.2)."""
    texts = np.datetime_as_string(days.astype("M8[D]")).tolist()
    return [text if text[4] == "-" else f"+{text}" for text in texts]

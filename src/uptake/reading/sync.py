"""Counts and digests of a user's samples by device and day, for clients to compare."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec import Struct, field

from uptake.reading import Day, Page, to_cursor
from uptake.reading.bounds import ANSWER_BYTES, TooMuch, json_bytes
from uptake.reading.series import SampleQuery, UserData
from uptake.samples import times
from uptake.samples.columns import Columns
from uptake.samples.digests import DayTotals, day_totals
from uptake.samples.metrics import Metric
from uptake.samples.times import Int64s

DEVICE_BYTES = 150
GAP_BYTES = 45
DAY_BYTES = 85
"""Size of a device without its name, of a gap and of a day in an answer."""


class SyncGap(Struct, frozen=True, gc=False):
    """Consecutive UTC days without samples, from `from` until before `to`."""

    begin: str = field(name="from")
    end: str = field(name="to")


class SyncDay(Struct, frozen=True, gc=False):
    """The number of a device's samples that start on a UTC day, and their digest."""

    day: str
    count: int
    digest: str


class SyncDevice(Struct, frozen=True):
    """The samples of a device.

    Attributes:
        device_name: the device.
        count: the number of samples.
        first, last: when the first and the last sample start, in the format in which it was sent.
        gaps: days without samples between these.
        days: the days on this page.
    """

    device_name: str
    count: int
    first: str
    last: str
    gaps: list[SyncGap]
    days: list[SyncDay]


class SyncState(Struct, frozen=True):
    """Devices in order of name. Days are paged; everything else is on every page."""

    user_id: str
    metric: Metric
    devices: list[SyncDevice]
    next: str | None


class _Devices:
    """Collects the samples of each device."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._bounds: list[list[str]] = []
        self._found: list[DayTotals] = []

    def add(self, columns: Columns) -> None:
        """Add samples of whole days, which start after all samples before."""
        totals = day_totals(columns)
        numbers = np.zeros(len(columns.devices), np.int64)
        # Of repeated assignments to one index, NumPy keeps the last.
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
        for index, start, end in zip(present.tolist(), starts, ends, strict=True):
            number = self._number.setdefault(columns.devices[index], len(self._bounds))
            if number == len(self._bounds):
                self._bounds.append([start, end])
            self._bounds[number][1] = end
            numbers[index] = number
        self._found.append(replace(totals, device=numbers[totals.device]))

    def days(self) -> DayTotals:
        """Return the days of all devices, in order of day."""
        if not self._found:
            empty = np.zeros(0, np.int64)
            return DayTotals(empty, empty, empty, np.zeros((2, 0), np.uint64))
        days = DayTotals(
            *(
                np.concatenate([getattr(one, name) for one in self._found], axis=-1)
                for name in DayTotals.__slots__
            )
        )
        return days.take(np.argsort(days.day, kind="stable"))

    def view(self, days: DayTotals, shown: slice) -> list[SyncDevice]:
        """Return all devices in order of name, with the days that are shown."""
        gaps, own = (defaultdict[int, list[Any]](list) for _ in "ab")
        for device, gap in _gaps(days):
            gaps[device].append(gap)
        page = days.take(shown)
        for day, (device, _, count, digest) in zip(
            _format_days(page.day), page.rows(), strict=True
        ):
            own[device].append(SyncDay(day, count, digest))
        counts = np.zeros(len(self._bounds), np.int64)
        np.add.at(counts, days.device, days.count)
        found = []
        total = counts.tolist()
        for name, number in sorted(self._number.items()):
            first, last = self._bounds[number]
            found.append(SyncDevice(name, total[number], first, last, gaps[number], own[number]))
        return found

    def size(self, days: DayTotals) -> int:
        """Return the approximate size of everything except the days."""
        names = sum(map(json_bytes, self._number))
        return names + DEVICE_BYTES * len(self._number) + GAP_BYTES * len(_breaks(days)[0])


def _breaks(days: DayTotals) -> tuple[Int64s, Int64s]:
    """Pairs of successive days of a device with days without samples between them."""
    order = np.argsort(days.device, kind="stable")
    same = days.device[order[1:]] == days.device[order[:-1]]
    gaps = np.flatnonzero(same & (np.diff(days.day[order]) > 1))
    return order[gaps], order[gaps + 1]


def _gaps(days: DayTotals) -> Iterator[tuple[int, SyncGap]]:
    before, after = _breaks(days)
    texts = zip(_format_days(days.day[before] + 1), _format_days(days.day[after]), strict=True)
    for device, (begin, end) in zip(days.device[before].tolist(), texts, strict=True):
        yield device, SyncGap(begin, end)


def page(user: UserData, query: SampleQuery, page: Page) -> SyncState:
    """Return the state of samples, with a page of days.

    Raises:
        Unknown: the user does not exist.
        BadCursor: this server did not issue the cursor.
        TooMuch: there are too many devices or samples.
    """
    after: int | None = page.after(Day)
    user.require()
    found = user.series(query.metric)
    devices = _Devices()
    for columns in found.days(query.start, query.end) if found else ():
        devices.add(columns)
    days = devices.days()
    size = devices.size(days)
    if size > ANSWER_BYTES:
        raise TooMuch(
            f"The list of devices takes {size} bytes: use a later `from` or an earlier `to`"
        )
    first = 0 if after is None else int(np.searchsorted(days.day, after, side="right"))
    last = first + _fitting(days.day[first:], page.limit, (ANSWER_BYTES - size) // DAY_BYTES)
    shown = devices.view(days, slice(first, last))
    following = to_cursor(int(days.day[last - 1])) if last < len(days.day) else None
    return SyncState(user.user_id, query.metric, shown, following)


def _fitting(day: Int64s, limit: int, room: int) -> int:
    """The number of entries of as many first days as fit: at least one day, at most `limit`."""
    begins = np.append(np.flatnonzero(np.append(True, day[1:] != day[:-1])[: len(day)]), len(day))
    fits = int(np.searchsorted(begins, room, side="right")) - 1
    return int(begins[min(max(fits, 1), limit, len(begins) - 1)])


def _format_days(days: Int64s) -> list[str]:
    """Days since 1970-01-01 as ISO 8601; years after 9999 have a sign (4.3.2)."""
    texts = np.datetime_as_string(days.astype("M8[D]")).tolist()
    return [text if text[4] == "-" else f"+{text}" for text in texts]

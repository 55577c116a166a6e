"""What there is of a user's samples, device by device and day by day, for comparing with others."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from msgspec import Struct, field

from uptake.model.items import Metric
from uptake.reading import Day, Unknown, from_cursor, to_cursor
from uptake.reading.stretches import EARLIEST, LATEST, Series, series
from uptake.samples import times
from uptake.samples.columns import Columns
from uptake.samples.digests import DAY, DayDigest, day_digests
from uptake.store.base import Items

STRETCH_SAMPLES = 100_000
"""Samples that are worked on at a time, about; unless a single day has more."""


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


class _Device:
    """What was found of a device."""

    def __init__(self, first: str) -> None:
        self.days: list[DayDigest] = []
        self.first = self.last = first

    def told(self, name: str, shown: set[int]) -> SyncDevice:
        days = [one.day for one in self.days]
        gaps = [(a + 1, b) for a, b in pairwise(days) if b - a > 1]
        return SyncDevice(
            name,
            sum(one.count for one in self.days),
            self.first,
            self.last,
            [SyncGap(*_told(gap)) for gap in gaps],
            [
                SyncDay(day, one.count, one.digest)
                for day, one in zip(_told(days), self.days, strict=True)
                if one.day in shown
            ],
        )


def page(  # noqa: PLR0913 - what can be asked for
    store: Items,
    project: str,
    user_id: str,
    metric: Metric,
    *,
    start: int = EARLIEST,
    end: int = LATEST,
    cursor: str | None,
    limit: int,
) -> SyncState:
    """The samples that start in [start, end), and at most `limit` of their days from a cursor on.

    Raises:
        Unknown: there is no such user.
        BadCursor: the cursor was not given by this server.
    """
    after: int | None = from_cursor(cursor, Day) if cursor else None
    if store.user(project, user_id) is None:
        raise Unknown(user_id)
    found = series(store, project, user_id, metric)
    devices: dict[str, _Device] = {}
    for columns in _stretches(found, start, end) if found else ():
        _add(devices, columns)
    days = sorted({one.day for device in devices.values() for one in device.days})
    begin = 0 if after is None else bisect_right(days, after)
    shown = days[begin : begin + limit]
    more = begin + limit < len(days)
    told = [devices[name].told(name, set(shown)) for name in sorted(devices)]
    return SyncState(user_id, metric, told, to_cursor(shown[-1]) if more else None)


def _stretches(found: Series, start: int, end: int) -> Iterator[Columns]:
    """The samples that start in [start, end), no day of UTC divided."""
    low, end = max(start, found.first), min(end, found.last + 1)
    while low < end:
        room = found.horizon(low, STRETCH_SAMPLES)
        high = min(max(room // DAY * DAY, (low // DAY + 1) * DAY), end)
        columns = found.starting(low, high)
        if columns is not None:
            yield columns
        coming = found.next(high)
        low = end if coming is None else coming


def _add(devices: dict[str, _Device], columns: Columns) -> None:
    for one in day_digests(columns):
        if one.device_name not in devices:
            devices[one.device_name] = _Device(_start(columns, one.device_name, 0))
        devices[one.device_name].days.append(one)
    for place in np.unique(columns.device).tolist():
        name = columns.devices[place]
        devices[name].last = _start(columns, name, -1)


def _start(columns: Columns, device: str, at: int) -> str:
    """How the start of a device's first or last sample was told."""
    mine = int(np.flatnonzero(columns.device == columns.devices.index(device))[at])
    return times.tell(int(columns.start[mine]), int(columns.start_told[mine]))


def _told(days: "list[int] | tuple[int, int]") -> list[str]:
    """Days since 1970-01-01 as ISO 8601; beyond the year 9999 with a sign (4.3.2)."""
    texts = np.datetime_as_string(np.array(days, "M8[D]")).tolist()
    return [text if text[4] == "-" else f"+{text}" for text in texts]

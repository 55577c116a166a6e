"""A user's samples, merged from all batches."""

from typing import Any, TypedDict

import numpy as np
from msgspec import Struct

from uptake.model import cancellation
from uptake.reading import DeviceName, Number, Page, Unit, to_cursor
from uptake.reading.bounds import fitting, json_bytes
from uptake.reading.series import SampleQuery, Series, UserData
from uptake.samples import times
from uptake.samples.columns import Columns, rows
from uptake.samples.metrics import Metric

SHOWN_BYTES = 200
"""Size of a sample in an answer, without the name and version of its device."""

Position = tuple[Number, Number, DeviceName, Unit]
"""The position of a sample: start, duration, device name, unit."""


class Summary(Struct, frozen=True):
    """The number of samples of a metric, and when the first and the last start."""

    count: int
    first: str
    last: str


class SampleView(TypedDict):
    """A sample; its times have the offset with which they were sent."""

    metric: Metric
    device_name: str
    device_version: str | None
    start_date: str
    end_date: str | None
    value: float
    unit: str


class SamplePage(Struct, frozen=True):
    """Samples in order of start; `next` is the cursor of the next page."""

    samples: list[SampleView]
    next: str | None


def summaries(user: UserData) -> dict[Metric, Summary]:
    """Return a summary of each metric, with repeated samples counted once.

    Raises:
        TooMuch: there are too many samples.
    """
    return {metric: _summary(found) for metric, found in user.all_series().items()}


def _summary(found: Series) -> Summary:
    count = 0
    for first, last, known in found.clusters():
        count += sum(map(len, found.days(first, last + 1))) if known is None else known
    return Summary(count, _start(found, found.first, 0), _start(found, found.last, -1))


def _start(found: Series, instant: int, at: int) -> str:
    """The start of a sample that starts at an instant, in the format in which it was sent."""
    columns = found.starting(instant, instant + 1)
    return "" if columns is None else times.format_time(instant, int(columns.start_format[at]))


def page(user: UserData, query: SampleQuery, page: Page) -> SamplePage:
    """Return a page of samples, which ends earlier if it would exceed `ANSWER_BYTES`.

    Raises:
        Unknown: the user does not exist.
        BadCursor: this server did not issue the cursor.
        TooMuch: too many samples would have to be processed together.
    """
    after: Position | None = page.after(Position)
    user.require()
    limit, low = page.limit, max(query.start, after[0]) if after else query.start
    known = user.series(query.metric)
    known_to = low
    wanted = limit + 1
    found: Columns | None = None
    while known is not None and known_to < min(query.end, known.last + 1):
        cancellation.check()
        known_to = min(known.horizon(low, wanted), query.end)
        found = known.starting(low, known_to)
        if after and found is not None:
            found = found.take(slice(_index_after(found, after), None))
        if found is not None and len(found) > limit:
            break
        wanted *= 2
    if found is None or not len(found):
        return SamplePage([], None)
    shown = found.take(slice(0, fitting(_sizes(found.take(slice(0, limit))))))
    more = len(found) > len(shown)
    samples: list[Any] = [{"metric": query.metric, **row} for row in rows(shown)]
    return SamplePage(samples, to_cursor(_position(shown, len(shown) - 1)) if more else None)


def _sizes(columns: Columns) -> list[int]:
    """The approximate size of each sample in an answer."""
    devices, versions = (
        np.array([json_bytes(name) for name in names], np.int64)
        for names in (columns.devices, columns.versions)
    )
    sizes: list[int] = (SHOWN_BYTES + devices[columns.device] + versions[columns.version]).tolist()
    return sizes


def _position(columns: Columns, i: int) -> Position:
    return (
        int(columns.start[i]),
        int(columns.duration[i]),
        columns.devices[int(columns.device[i])],
        int(columns.unit[i]),
    )


def _index_after(columns: Columns, position: Position) -> int:
    i = int(np.searchsorted(columns.start, position[0]))
    while i < len(columns) and _position(columns, i) <= position:
        i += 1
    return i

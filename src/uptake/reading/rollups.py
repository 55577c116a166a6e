"""Rollups of a user's samples, page by page."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from uptake.reading import SAMPLE_ZONE, Page, to_cursor
from uptake.reading.bounds import ANSWER_BYTES, TooMuch, json_bytes
from uptake.reading.rollup_rows import (
    Position,
    RollupQuery,
    RollupRows,
    WorkLimits,
    rollup_rows,
)
from uptake.reading.series import UserData
from uptake.samples.metrics import METRICS, Aggregation, MeanMetric, Metric, SumMetric
from uptake.samples.rollup.calendar import Every
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_SECOND

BUCKET_BYTES = 200
SHARE_BYTES = 120
"""Size of a bucket and of a device's share in an answer, without the name of the device."""


class StepsShare(Struct, frozen=True, gc=False):
    """The share of one device in a bucket.

    Attributes:
        device_name: the device.
        sum: its steps that are counted in the bucket.
        left_out: its steps that are not counted, because another device covers the same time.
        count: its samples that start in the bucket.
    """

    device_name: str
    sum: float
    left_out: float
    count: int


class HeartRateShare(Struct, frozen=True, gc=False):
    """The share of one device in a bucket.

    Attributes:
        device_name: the device.
        min, mean, max: its heart rates, in beats a minute.
        count: its samples that start in the bucket.
    """

    device_name: str
    min: float
    mean: float
    max: float
    count: int


class StepsBucket(Struct, frozen=True, gc=False):
    """The steps of a bucket.

    Attributes:
        start, end: the time from `start` until before `end`; ISO 8601 with offset.
        device_name: the device; only with `devices=each`.
        sum: the steps.
        count: samples that start in the bucket.
        devices: the share of each device; only with `explain=true`.
    """

    start: str
    end: str
    device_name: str | UnsetType
    sum: float
    count: int
    devices: list[StepsShare] | UnsetType


class HeartRateBucket(Struct, frozen=True, gc=False):
    """The heart rates of a bucket.

    Attributes:
        start, end: the time from `start` until before `end`; ISO 8601 with offset.
        device_name: the device; only with `devices=each`.
        min, mean, max: in beats a minute; the mean is weighted by the duration of samples.
        count: samples that start in the bucket.
        devices: the share of each device; only with `explain=true`.
    """

    start: str
    end: str
    device_name: str | UnsetType
    min: float
    mean: float
    max: float
    count: int
    devices: list[HeartRateShare] | UnsetType


class StepsRollup(Struct, frozen=True):
    """Buckets of sums, in order; buckets without samples are left out."""

    user_id: str
    metric: SumMetric
    every: Every
    zone: str
    buckets: list[StepsBucket]
    next: str | None


class HeartRateRollup(Struct, frozen=True):
    """Buckets of means, in order; buckets without samples are left out."""

    user_id: str
    metric: MeanMetric
    every: Every
    zone: str
    buckets: list[HeartRateBucket]
    next: str | None


def page(user: UserData, query: RollupQuery, page: Page) -> StepsRollup | HeartRateRollup:
    """Return a page of buckets.

    Raises:
        Unknown: the user does not exist.
        BadCursor: this server did not issue the cursor.
        TooMuch: the page would exceed a limit; a smaller `limit` helps.
    """
    after: Position | None = page.after(Position)
    user.require()
    found = user.series(query.metric)
    ranges: Iterator[RollupRows] = iter(())
    if found is not None:
        ranges = rollup_rows(found, query, after, page.limit, WorkLimits(memory=user.memory))
    taken, following = _first(ranges, page.limit)
    buckets = [bucket for part in taken for bucket in buckets_of(query.metric, part)]
    shape: Any = _SHAPES[METRICS[query.metric].aggregation].rollup
    zone = query.zone or SAMPLE_ZONE
    rollup: StepsRollup | HeartRateRollup = shape(
        user.user_id, query.metric, query.every, zone, buckets, following
    )
    return rollup


def _first(ranges: Iterator[RollupRows], limit: int) -> tuple[list[RollupRows], str | None]:
    """The first rows, and the cursor of the next page, if any."""
    taken: list[RollupRows] = []
    wanted, size = limit, 0
    for whole in ranges:
        more = len(whole.which) > wanted
        part = whole.take(wanted) if more else whole
        if len(part.which):
            size += _bytes(part)
            if size > ANSWER_BYTES:
                raise TooMuch(
                    f"{limit - wanted + len(part.which)} buckets exceed {ANSWER_BYTES} bytes: use "
                    "a smaller `limit`, a single device, or no `explain`"
                )
            taken.append(part)
            wanted -= len(part.which)
        if more:
            return taken, to_cursor(taken[-1].last)
    return taken, None


def _bytes(some: RollupRows) -> int:
    """The approximate size of rows in an answer."""
    names = np.array([json_bytes(name) for name in some.names])
    table = some.table
    size = BUCKET_BYTES * len(some.which)
    if table.device is not None:
        size += int(names[table.device[some.which]].sum())
    if table.parts is not None:
        device = table.parts.device[_selected(some)[table.parts.row]]
        size += SHARE_BYTES * len(device) + int(names[device].sum())
    return size


def _selected(some: RollupRows) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    selected = np.zeros(len(some.table.count), bool)
    selected[some.which] = True
    return selected


class _Shape(NamedTuple):
    """The structures of a metric's rollup, and the figures of a table that they contain.

    Attributes:
        rollup: the answer.
        bucket: takes start, end, device, `figures`, count and shares.
        figures: of a bucket.
        share: takes device, `share_figures` and count.
        share_figures: of a share.
    """

    rollup: type[StepsRollup] | type[HeartRateRollup]
    bucket: type[StepsBucket] | type[HeartRateBucket]
    figures: tuple[str, ...]
    share: type[StepsShare] | type[HeartRateShare]
    share_figures: tuple[str, ...]


_RATES = ("min", "mean", "max")
_SHAPES = {
    Aggregation.SUM: _Shape(StepsRollup, StepsBucket, ("sum",), StepsShare, ("sum", "left_out")),
    Aggregation.MEAN: _Shape(HeartRateRollup, HeartRateBucket, _RATES, HeartRateShare, _RATES),
}


def buckets_of(metric: Metric, some: RollupRows) -> list[Any]:
    """Return the buckets of rows, in their order."""
    table, rows, names = some.table, some.which, some.names
    shape = _SHAPES[METRICS[metric].aggregation]
    devices: Any = repeat(UNSET)
    if table.device is not None:
        devices = [names[device] for device in table.device[rows].tolist()]
    shares: Any = repeat(UNSET)
    if table.parts is not None:
        # A table may have many more parts than these rows do.
        parts = table.parts.take(_selected(some)[table.parts.row])
        of_row: dict[int, list[Any]] = {row: [] for row in rows.tolist()}
        made = map(
            shape.share,
            [names[device] for device in parts.device.tolist()],
            *(parts.figures[name].tolist() for name in shape.share_figures),
            parts.count.tolist(),
        )
        for row, share in zip(parts.row.tolist(), made, strict=True):
            of_row[row].append(share)
        shares = of_row.values()
    return list(
        map(
            shape.bucket,
            format_instants(table.start[rows], table.start_offset[rows]),
            format_instants(table.end[rows], table.end_offset[rows]),
            devices,
            *(table.figures[name][rows].tolist() for name in shape.figures),
            table.count[rows].tolist(),
            shares,
        )
    )


def format_instants(instants: Int64s, offsets: Int64s) -> list[str]:
    """Format instants of whole seconds as ISO 8601 with offset.

    An offset with seconds, as local clocks had before time zones, is formatted with its seconds.
    Years after 9999 have a sign and more digits (ISO 8601-1:2019, 4.3.2).

    Args:
        instants: ticks.
        offsets: ticks east of UTC.
    """
    seconds = (instants + offsets) // TICKS_PER_SECOND
    shown = np.datetime_as_string(seconds.astype("M8[s]"), unit="s").tolist()
    zones = {offset: _offset(offset // TICKS_PER_SECOND) for offset in set(offsets.tolist())}
    return [
        (text if text[4] == "-" else f"+{text}") + zones[offset]
        for text, offset in zip(shown, offsets.tolist(), strict=True)
    ]


def _offset(seconds: int) -> str:
    sign, size = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = f"{sign}{size // 3600:02d}:{size // 60 % 60:02d}"
    return f"{text}:{size % 60:02d}" if size % 60 else text

"""Rollups as they are told: buckets with their bounds on the local clock."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from uptake.reading.tables import Rows
from uptake.samples.rollup.table import Parts, Table
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_SECOND


class StepsShare(Struct, frozen=True, gc=False):
    """What one device has to do with a bucket.

    Attributes:
        device_name: of the device.
        sum: its steps that are counted in the bucket.
        left_out: its steps that are not, as another device covers their time.
        count: its samples that start in the bucket.
    """

    device_name: str
    sum: float
    left_out: float
    count: int


class HeartRateShare(Struct, frozen=True, gc=False):
    """What one device has to do with a bucket.

    Attributes:
        device_name: of the device.
        min, mean, max: its heart rates, in beats a minute.
        count: its samples that start in the bucket.
    """

    device_name: str
    min: float
    mean: float
    max: float
    count: int


class StepsBucket(Struct, frozen=True, kw_only=True, gc=False):
    """The steps of a bucket.

    Attributes:
        start, end: the bucket is all time from `start` until before `end`, in ISO 8601 with offset.
        device_name: whose steps they are; only with `devices=each`.
        sum: the steps.
        count: samples that start in the bucket.
        devices: the part of each device; only with `explain=true`.
    """

    start: str
    end: str
    device_name: str | UnsetType = UNSET
    sum: float
    count: int
    devices: list[StepsShare] | UnsetType = UNSET


class HeartRateBucket(Struct, frozen=True, kw_only=True, gc=False):
    """The heart rates of a bucket.

    Attributes:
        start, end: the bucket is all time from `start` until before `end`, in ISO 8601 with offset.
        device_name: whose heart rates they are; only with `devices=each`.
        min, mean, max: in beats a minute; the mean weighs samples by the time they last.
        count: samples that start in the bucket.
        devices: the part of each device; only with `explain=true`.
    """

    start: str
    end: str
    device_name: str | UnsetType = UNSET
    min: float
    mean: float
    max: float
    count: int
    devices: list[HeartRateShare] | UnsetType = UNSET


def steps_buckets(some: Rows) -> list[StepsBucket]:
    """Rows of a table of steps, in their order."""
    table, rows, names = some.table, some.which, some.names
    starts, ends = _bounds(table, rows)
    shares: list[list[StepsShare]] = [[] for _ in range(len(table.count))]
    if parts := _told(some):
        for row, device, total, left_out, count in zip(
            parts.row.tolist(),
            parts.device.tolist(),
            parts.figures["sum"].tolist(),
            parts.figures["left_out"].tolist(),
            parts.count.tolist(),
            strict=True,
        ):
            shares[row].append(StepsShare(names[device], total, left_out, count))
    return [
        StepsBucket(
            start=start,
            end=end,
            device_name=name,
            sum=total,
            count=count,
            devices=shares[row] if parts else UNSET,
        )
        for row, start, end, name, total, count in zip(
            rows.tolist(),
            starts,
            ends,
            _names(table, rows, names),
            table.figures["sum"][rows].tolist(),
            table.count[rows].tolist(),
            strict=False,
        )
    ]


def heart_rate_buckets(some: Rows) -> list[HeartRateBucket]:
    """Rows of a table of heart rates, in their order."""
    table, rows, names = some.table, some.which, some.names
    starts, ends = _bounds(table, rows)
    shares: list[list[HeartRateShare]] = [[] for _ in range(len(table.count))]
    if parts := _told(some):
        for row, device, *figures in zip(
            parts.row.tolist(),
            parts.device.tolist(),
            *(parts.figures[name].tolist() for name in ("min", "mean", "max")),
            parts.count.tolist(),
            strict=True,
        ):
            shares[row].append(HeartRateShare(names[device], *figures))
    return [
        HeartRateBucket(
            start=start,
            end=end,
            device_name=name,
            min=lowest,
            mean=mean,
            max=highest,
            count=count,
            devices=shares[row] if parts else UNSET,
        )
        for row, start, end, name, lowest, mean, highest, count in zip(
            rows.tolist(),
            starts,
            ends,
            _names(table, rows, names),
            *(table.figures[name][rows].tolist() for name in ("min", "mean", "max")),
            table.count[rows].tolist(),
            strict=False,
        )
    ]


def _told(some: Rows) -> Parts | None:
    """The parts of these rows alone, of which a table may have many more."""
    parts = some.table.parts
    if parts is None:
        return None
    chosen = np.zeros(len(some.table.count), bool)
    chosen[some.which] = True
    return parts.take(chosen[parts.row])


def _names(table: Table, rows: Int64s, names: Sequence[str]) -> "Sequence[str] | repeat[UnsetType]":
    if table.device is None:
        return repeat(UNSET)
    return [names[device] for device in table.device[rows].tolist()]


def _bounds(table: Table, rows: Int64s) -> tuple[list[str], list[str]]:
    starts = tell(table.start[rows], table.start_offset[rows])
    return starts, tell(table.end[rows], table.end_offset[rows])


def tell(instants: Int64s, offsets: Int64s) -> list[str]:
    """Instants of whole seconds as ISO 8601, to the second, with the offset.

    An offset that is not of whole minutes, as clocks had before there were time zones, is told with
    its seconds. Beyond the year 9999, years have a sign and more digits (ISO 8601-1:2019, 4.3.2).

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

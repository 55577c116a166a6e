"""Charts as values for SVG templates: positions and labels, no markup."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

SPARK_DAYS = 14
"""Days of a small chart in a table."""


class Bar(Struct, frozen=True):
    """A bar of a small chart: its place, its height (1 for the highest), and its label."""

    x: int
    height: float
    label: str


def spark(days: Mapping[str, int], last: str) -> list[Bar]:
    """The bars of the days before a date, and of that date; days without a value have none.

    Args:
        days: values by date.
        last: the date.
    """
    end = date.fromisoformat(last)
    shown = [(end - timedelta(days=SPARK_DAYS - 1 - x)).isoformat() for x in range(SPARK_DAYS)]
    most = max((days.get(day, 0) for day in shown), default=0)
    return [
        Bar(x, days[day] / most, f"{day}: {days[day]}")
        for x, day in enumerate(shown)
        if days.get(day, 0)
    ]


def timeline(values: Sequence[int], begin: datetime, end: datetime, noun: str) -> list[Bar]:
    """The bars of equal parts of an interval; parts without a value have none.

    Args:
        values: of each part.
        begin: of the interval.
        end: of the interval.
        noun: what is counted, for labels.
    """
    most, part = max(values, default=0), (end - begin) / max(1, len(values))
    return [
        Bar(x, value / most, f"{begin + part * x:%m-%d %H:%M}: {value:,} {noun}")
        for x, value in enumerate(values)
        if value
    ]


def ticks(most: float, count: int = 4) -> list[float]:
    """Round numbers from 0 up to at least `most`, for the lines of an axis."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / count
    power = 10 ** (len(str(int(rough))) - 1) if rough >= 1 else 0.1
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough)
    return [step * number for number in range(int(-(-most // step)) + 1)]


def spread(values: Sequence[float], low: float, high: float, size: float) -> list[float]:
    """Positions of values on an axis of a size, from the end: the lowest is at `size`."""
    width = high - low or 1
    return [round(size * (1 - (value - low) / width), 1) for value in values]


class Mark(Struct, frozen=True):
    """One bucket in a chart: its place, and the label that a pointer shows.

    Attributes:
        x, width: where it is.
        top, height: of its counted part, or from the highest to the lowest value.
        above: height of the part that is left out, above the counted one.
        middle: position of the mean.
    """

    x: float
    width: float
    top: float
    height: float
    label: str
    above: float = 0
    middle: float = 0


class AxisLabel(Struct, frozen=True):
    """A text at a position of an axis."""

    at: float
    text: str


class Chart(Struct, frozen=True):
    """A chart of `WIDTH` by `HEIGHT` units.

    Attributes:
        marks: one for each bucket.
        values, times: labels of the axes.
        summary: what a screen reader reads.
    """

    marks: list[Mark]
    values: list[AxisLabel]
    times: list[AxisLabel]
    summary: str


WIDTH, HEIGHT = 920, 200
SECONDS = {"hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400}
MAX_TIMES = 8
DAY_SECONDS = 86400

DATE = 10
"""Characters of a date in an ISO 8601 time."""


def bar_chart(buckets: Sequence[Mapping[str, Any]], every: str, begin: str, end: str) -> Chart:
    """A chart of sums with what each device has left out."""
    left_out = [sum(one["left_out"] for one in bucket["devices"]) for bucket in buckets]
    axis = ticks(max(bucket["sum"] + left for bucket, left in zip(buckets, left_out, strict=True)))
    scale = HEIGHT / axis[-1]
    marks = []
    for bucket, left, (x, width) in zip(
        buckets, left_out, _places(buckets, every, begin, end), strict=True
    ):
        height = bucket["sum"] * scale
        label = f"{_when(bucket['start'], every)}: {bucket['sum']:,.0f} steps"
        if left:
            label += f", {left:,.0f} left out"
        marks.append(
            Mark(
                x, width, round(HEIGHT - height, 1), round(height, 1), label, round(left * scale, 1)
            )
        )
    total = sum(bucket["sum"] for bucket in buckets)
    summary = f"{total:,.0f} steps from {begin} to {end}, by {every}"
    return Chart(marks, _value_labels(axis), _time_labels(begin, end), summary)


def range_chart(buckets: Sequence[Mapping[str, Any]], every: str, begin: str, end: str) -> Chart:
    """A chart of means, each with its lowest and highest value."""
    axis = ticks(max(bucket["max"] for bucket in buckets))
    marks = []
    for bucket, (x, width) in zip(buckets, _places(buckets, every, begin, end), strict=True):
        top, middle, bottom = spread(
            [bucket["max"], bucket["mean"], bucket["min"]], 0, axis[-1], HEIGHT
        )
        label = (
            f"{_when(bucket['start'], every)}: {bucket['min']:.0f} to {bucket['max']:.0f},"
            f" mean {bucket['mean']:.0f} a minute"
        )
        marks.append(Mark(x, width, top, max(2.0, bottom - top), label, middle=middle))
    low = min(bucket["min"] for bucket in buckets)
    high = max(bucket["max"] for bucket in buckets)
    summary = f"Heart rate from {low:.0f} to {high:.0f} a minute, from {begin} to {end}, by {every}"
    return Chart(marks, _value_labels(axis), _time_labels(begin, end), summary)


def _places(
    buckets: Sequence[Mapping[str, Any]], every: str, begin: str, end: str
) -> list[tuple[float, float]]:
    """The start and the width of each bucket; local times are taken as they are written."""
    first = _seconds(begin)
    whole = _seconds(end) + DAY_SECONDS - first
    width = WIDTH * SECONDS[every] / whole
    gap = min(2.0, width * 0.2)
    return [
        (round(WIDTH * (_seconds(bucket["start"]) - first) / whole, 1), round(width - gap, 1))
        for bucket in buckets
    ]


def _seconds(text: str) -> int:
    """The seconds of a local time since the year 1, without its offset."""
    hour, minute = (int(text[11:13]), int(text[14:16])) if len(text) > DATE else (0, 0)
    return date.fromisoformat(text[:DATE]).toordinal() * DAY_SECONDS + hour * 3600 + minute * 60


def _when(start: str, every: str) -> str:
    return start[:16].replace("T", " ") if every == "hour" else start[:DATE]


def _value_labels(axis: Sequence[float]) -> list[AxisLabel]:
    at = spread(axis, 0, axis[-1], HEIGHT)
    return [AxisLabel(one, f"{value:,.10g}") for one, value in zip(at, axis, strict=True)]


def _time_labels(begin: str, end: str) -> list[AxisLabel]:
    first, last = date.fromisoformat(begin), date.fromisoformat(end)
    days = (last - first).days + 1
    step = -(-days // MAX_TIMES)
    return [
        AxisLabel(round(WIDTH * day / days, 1), (first + timedelta(days=day)).isoformat())
        for day in range(0, days, step)
    ]

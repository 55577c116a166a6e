"""Charts as values for SVG templates: positions and labels, no markup."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

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

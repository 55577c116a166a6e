"""What a user's samples of some days come to, by the rollups that everybody is shown."""

import numpy as np
from msgspec import Struct

from uptake.reading.segments.filters import Stat
from uptake.reading.stretches import LATEST, series
from uptake.reading.tables import Bound, Question, Stretch, rows
from uptake.samples import zones
from uptake.samples.metrics import METRICS, Aggregation, Metric
from uptake.store.base import ItemQueries
from uptake.time_units import TICKS_PER_DAY, TICKS_PER_MICROSECOND

_DAILY = {
    Aggregation.SUM: ("sum", "sum", "sum"),
    Aggregation.MEAN: ("min", "mean", "max"),
}
"""The figures of a day of which the lowest, the mean and the highest are taken."""


MARGIN = 3
"""Days asked for beyond those wanted: clocks differ by up to a day at both ends, and all that is
asked for at once is read once."""


class Days(Struct, frozen=True):
    """Whole days on a clock.

    Attributes:
        begin: what the clock shows as the first begins, in ticks.
        end: what it shows as the last is over.
        zone: whose clock; None for that of each sample.
    """

    begin: int
    end: int
    zone: str | None


def days_until(now: int, days: int, zone: str | None) -> Days:
    """So many days, the last of them today.

    Args:
        now: microseconds since the epoch.
        days: how many.
        zone: whose days; without one, today is that of UTC.
    """
    ticks = now * TICKS_PER_MICROSECOND
    if zone is not None:
        ticks += int(zones.offsets(zone, ticks, ticks + 1).at(np.array([ticks]))[0])
    end = (ticks // TICKS_PER_DAY + 1) * TICKS_PER_DAY
    return Days(end - days * TICKS_PER_DAY, end, zone)


def rolled_up(
    store: ItemQueries, project: str, user_id: str, metric: Metric, days: Days
) -> dict[Stat, float] | None:
    """The figures of a user's days, those without samples left out; None when all are."""
    found = series(store, project, user_id, metric)
    if found is None:
        return None
    begin, end = Bound(days.begin, local=True), Bound(days.end, local=True)
    question = Question(metric, "day", days.zone, begin=begin, end=end)
    # One user with very many devices must not stop an answer about all users.
    stretch = Stretch(answer=LATEST)
    parts = list(
        rows(found, question, None, (days.end - days.begin) // TICKS_PER_DAY + MARGIN, stretch)
    )
    if not any(len(part.which) for part in parts):
        return None
    lowest, mean, highest = (
        np.concatenate([part.table.figures[name][part.which] for part in parts])
        for name in _DAILY[METRICS[metric].aggregation]
    )
    return {
        "sum": float(mean.sum()),
        "min": float(lowest.min()),
        "mean": float(mean.mean()),
        "max": float(highest.max()),
        "count": float(sum(int(part.table.count[part.which].sum()) for part in parts)),
    }

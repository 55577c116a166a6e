"""Documents and samples of users, read from the store for the users that a query needs."""

from time import monotonic
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from uptake.model import cancellation
from uptake.reading.rollup_rows import Bound, RollupQuery, WorkLimits, rollup_rows
from uptake.reading.segments import DeadlineExceeded
from uptake.reading.segments import filters as f
from uptake.reading.segments.blocks import Block
from uptake.reading.segments.columns import Amounts, Flags, Rows
from uptake.reading.series import LATEST, UserData, UserStore
from uptake.samples import zones
from uptake.samples.metrics import METRICS, Aggregation, Metric
from uptake.store.base import UserQueries
from uptake.time_units import MICROSECONDS_PER_DAY, TICKS_PER_DAY, TICKS_PER_MICROSECOND

LISTED_USERS = 5000
"""Up to this number, the store is asked about these users only; for more, it counts the documents
of all users, and lists all users who have samples."""

DAILY = {
    Aggregation.SUM: ("sum", "sum", "sum"),
    Aggregation.MEAN: ("min", "mean", "max"),
}
"""The daily figures from which `min`, `mean` and `max` over several days are computed."""

MARGIN_DAYS = 3
"""Local clocks differ from UTC by up to a day at both ends; the days are read in one piece."""


class Days(Struct, frozen=True):
    """Whole days of a local clock.

    Attributes:
        begin: local time when the first day begins, in ticks.
        end: local time when the last day ends.
        zone: the time zone; None for the local time of each sample.
    """

    begin: int
    end: int
    zone: str | None


class BehaviourStore(UserQueries, UserStore, Protocol):
    """The store ports that behaviour is read from."""


class Behaviour:
    """Reads documents and samples for one query.

    Args:
        store: where they are read.
        project: of the users.
        now: microseconds since the epoch.
        until: the deadline, on the clock of `time.monotonic`.
    """

    def __init__(self, store: BehaviourStore, project: str, now: int, until: float) -> None:
        self.now = now
        self._store = store
        self._project = project
        self._until = until
        self._sampled: dict[str, pa.Array] = {}
        self._counts: dict[tuple[str, int], tuple[pa.Array, Amounts]] = {}

    def documents(self, condition: f.Documents, block: Block, rows: Rows) -> Amounts:
        """Return the number of documents of each of these users."""
        days = condition.days
        since = 0 if days is None else self.now - days * MICROSECONDS_PER_DAY
        key = condition.type, since
        ids = block.ids.take(pa.array(rows))
        if key not in self._counts and len(rows) <= LISTED_USERS:
            named = ids.to_pylist()
            counts = self._store.document_counts(self._project, condition.type, since, named)
            return np.array([counts.get(name, 0) for name in named], np.float64)
        if key not in self._counts:
            counts = self._store.document_counts(self._project, condition.type, since, None)
            names = pa.array(list(counts), pa.string())
            self._counts[key] = names, np.array([*counts.values(), 0], np.float64)
        names, amounts = self._counts[key]
        # Users without documents index the trailing zero.
        indexes = pc.index_in(ids, value_set=names).fill_null(len(names)).to_numpy()
        found: Amounts = amounts[indexes]
        return found

    def samples(self, condition: f.SampleStat, block: Block, rows: Rows) -> Amounts:
        """Return the statistic of each of these users; NaN for users without samples.

        Results are cached with the block. A user with new data moves to another block, so cached
        results stay valid.

        Raises:
            DeadlineExceeded: not all users could be read in time.
        """
        days = days_until(self.now, condition.days, condition.zone)
        cached = block.cached_stats((condition.metric, condition.stat, condition.zone, days))
        missing = rows[~cached.known[rows]]
        without_samples = 0.0 if condition.stat == "count" else np.nan
        if len(missing) > LISTED_USERS:
            cached.set(missing[~self._has_samples(condition, block, missing)], without_samples)
            missing = rows[~cached.known[rows]]
        ids = block.ids.take(pa.array(missing)).to_pylist()
        for row, user_id in zip(missing, ids, strict=True):
            cancellation.check()
            if monotonic() > self._until:
                raise DeadlineExceeded(int(np.count_nonzero(cached.known)))
            user = UserData(self._store, self._project, user_id)
            stats = sample_stats(user, condition.metric, days)
            cached.set(row, without_samples if stats is None else stats[condition.stat])
        return cached.values[rows]

    def _has_samples(self, condition: f.SampleStat, block: Block, rows: Rows) -> Flags:
        if condition.metric not in self._sampled:
            names = self._store.users_with_samples(self._project, condition.metric)
            self._sampled[condition.metric] = pa.array(names, pa.string())
        found = pc.is_in(block.ids.take(pa.array(rows)), value_set=self._sampled[condition.metric])
        return np.asarray(found)


def days_until(now: int, days: int, zone: str | None) -> Days:
    """Return this number of days, of which the last is today.

    Args:
        now: microseconds since the epoch.
        days: how many.
        zone: the time zone of the days; None takes today from UTC.
    """
    ticks = now * TICKS_PER_MICROSECOND
    if zone is not None:
        ticks += int(zones.offsets(zone, ticks, ticks + 1).at(np.array([ticks]))[0])
    end = (ticks // TICKS_PER_DAY + 1) * TICKS_PER_DAY
    return Days(end - days * TICKS_PER_DAY, end, zone)


def sample_stats(user: UserData, metric: Metric, days: Days) -> dict[f.Stat, float] | None:
    """Return statistics of a user's daily rollups; None if there are no samples."""
    found = user.series(metric)
    if found is None:
        return None
    begin, end = Bound(days.begin, local=True), Bound(days.end, local=True)
    query = RollupQuery(metric, "day", days.zone, begin=begin, end=end)
    # One user with very many devices must not fail a query about all users.
    limits = WorkLimits(answer=LATEST)
    count = (days.end - days.begin) // TICKS_PER_DAY + MARGIN_DAYS
    parts = list(rollup_rows(found, query, None, count, limits))
    if not any(len(part.which) for part in parts):
        return None
    lowest, mean, highest = (
        np.concatenate([part.table.figures[name][part.which] for part in parts])
        for name in DAILY[METRICS[metric].aggregation]
    )
    return {
        "sum": float(mean.sum()),
        "min": float(lowest.min()),
        "mean": float(mean.mean()),
        "max": float(highest.max()),
        "count": float(sum(int(part.table.count[part.which].sum()) for part in parts)),
    }

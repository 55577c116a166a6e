"""A user's samples of one metric, stretch by stretch of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from uptake.model.items import Metric
from uptake.samples.columns import Columns, Packed, unpack
from uptake.samples.merge import merge
from uptake.store.base import Items
from uptake.store.records import Span

EARLIEST = -(1 << 62)
LATEST = 1 << 62
"""Ticks before and after every sample."""

MOST_SAMPLES = 500_000
"""Samples of a stretch, unless a single bucket has more: they take about 100 bytes each."""


@dataclass(frozen=True, slots=True)
class Series:
    """Where a user's samples of one metric are."""

    store: Items
    project: str
    user_id: str
    metric: Metric
    spans: list[Span]

    @property
    def first(self) -> int:
        """The instant at which the first sample starts, of at least one."""
        return self.spans[0].first

    @property
    def last(self) -> int:
        """The instant at which the last sample starts, of at least one."""
        return max(span.last for span in self.spans)

    def next(self, instant: int) -> int | None:
        """An instant from this one on before which no further sample starts; None when none does.

        A batch lies between two samples, and nothing is known about what is between them.
        """
        coming = [max(span.first, instant) for span in self.spans if span.last >= instant]
        return min(coming, default=None)

    def horizon(self, low: int, most: int) -> int:
        """Up to which instant at most so many samples start from `low` on, or a little more."""
        coming = [span for span in self.spans if span.last >= low]
        totals = accumulate(span.count for span in coming)
        late = [span.first for span, total in zip(coming, totals, strict=True) if total > most]
        return min(late, default=LATEST)

    def starting(self, low: int, high: int) -> Columns | None:
        """The samples that start in [low, high), each once and in order; None when none does."""
        batches = self.store.batches(self.project, self.user_id, self.metric, low, high - 1)
        found = _merged(map(unpack, batches))
        if found is None:
            return None
        return _some(found, *np.searchsorted(found.start, [low, high]).tolist())

    def reaching(self, low: int, high: int) -> Columns | None:
        """The samples with a part in [low, high); None when there is none."""
        # A sample may be of any length: the one that reaches into a day may be years old.
        batches = self.store.batches(self.project, self.user_id, self.metric, EARLIEST, high - 1)
        packed = map(unpack, batches)
        found = _merged(one for one in packed if one.until >= low)
        if found is None:
            return None
        found = found.take(slice(0, int(np.searchsorted(found.start, high))))
        late = found.start + np.maximum(found.duration, 0) >= low
        found = found if late.all() else found.take(late)
        return found if len(found) else None


def _merged(packed: Iterable[Packed]) -> Columns | None:
    batches = [one.columns() for one in packed]
    return merge(batches) if batches else None


def _some(columns: Columns, first: int, last: int) -> Columns | None:
    if first == last:
        return None
    return columns.take(slice(first, last))


def series(store: Items, project: str, user_id: str, metric: Metric) -> Series | None:
    """Where a user's samples of a metric are; None when there are none."""
    spans = [span for span in store.spans(project, user_id) if span.metric == metric]
    return Series(store, project, user_id, metric, spans) if spans else None

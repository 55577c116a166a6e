"""A user's samples of one metric, stretch by stretch of time."""

from collections.abc import Iterable
from functools import partial
from itertools import accumulate

import numpy as np

from uptake.model.items import Metric
from uptake.reading.bounds import TooMuch
from uptake.samples.columns import Columns
from uptake.samples.merge import merge_packed
from uptake.samples.packed import Packed, unpack
from uptake.store.base import Items
from uptake.store.records import Span

EARLIEST = -(1 << 62)
LATEST = 1 << 62
"""Ticks before and after every sample."""

HELD_SAMPLES = 500_000
"""Samples whose batches are read at a time; packed, they take a few tens of bytes each."""


class Series:
    """A user's samples of one metric, of which there is at least one."""

    def __init__(
        self, store: Items, project: str, user_id: str, metric: Metric, spans: list[Span]
    ) -> None:
        self._batches = partial(store.batches, project, user_id, metric)
        self._spans = spans
        self._held: list[tuple[Packed, int]] = []
        self._held_to = EARLIEST
        self.first = spans[0].first
        self.last = max(span.last for span in spans)

    def next(self, instant: int) -> int | None:
        """When the first sample starts that starts at or after an instant; None when none does."""
        coming = [span.first for span in self._spans if span.first >= instant]
        if any(span.first < instant <= span.last for span in self._spans):
            # Between the first and the last sample of a batch there may be years without any.
            starts = [unpack(batch).starts() for batch in self._batches(instant, instant)]
            coming += [int(start[np.searchsorted(start, instant)]) for start in starts]
        return min(coming, default=None)

    def horizon(self, low: int, most: int) -> int:
        """Up to which instant about so many samples start from `low` on."""
        coming = [span for span in self._spans if span.last >= low]
        totals = accumulate(span.count for span in coming)
        late = [span.first for span, total in zip(coming, totals, strict=True) if total > most]
        return min(late, default=LATEST)

    def starting(self, low: int, high: int) -> Columns | None:
        """The samples that start in [low, high), each once and in order; None when none does."""
        found = _merged(map(unpack, self._batches(low, high - 1)))
        if found is None:
            return None
        first, last = np.searchsorted(found.start, [low, high]).tolist()
        return found.take(slice(first, last)) if first < last else None

    def reaching(self, low: int, high: int, most: int = LATEST) -> Columns | None:
        """The samples with a part in [low, high); None when there is none.

        `low` must not be less than it was the last time.

        Raises:
            TooMuch: the batches that they are in have more than `most` samples.
        """
        if high > self._held_to:
            self._hold(low, max(high, self.horizon(low, HELD_SAMPLES)))
        wanted = [one for one, until in self._held if one.first < high and until >= low]
        count = sum(one.count for one in wanted)
        if count > most:
            raise TooMuch(f"{count} samples are to be looked at together: ask for a nearer `to`")
        found = _merged(wanted)
        if found is None:
            return None
        found = found.take(slice(0, int(np.searchsorted(found.start, high))))
        reaching = found.start + np.maximum(found.duration, 0) >= low
        if not reaching.all():
            found = found.take(reaching)
        return found if len(found) else None

    def _hold(self, low: int, high: int) -> None:
        """Read the batches with samples that may have a part in [low, high)."""
        # A sample may be of any length: one that reaches into a day may be years old.
        packed = map(unpack, self._batches(EARLIEST, high - 1))
        ends = ((one, one.until) for one in packed)
        self._held = [(one, until) for one, until in ends if until >= low]
        self._held_to = high


def _merged(packed: Iterable[Packed]) -> Columns | None:
    batches = list(packed)
    return merge_packed(batches) if batches else None


def series(store: Items, project: str, user_id: str, metric: Metric) -> Series | None:
    """Where a user's samples of a metric are; None when there are none."""
    spans = [span for span in store.spans(project, user_id) if span.metric == metric]
    return Series(store, project, user_id, metric, spans) if spans else None

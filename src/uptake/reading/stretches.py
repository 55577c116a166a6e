"""A user's samples of one metric, stretch by stretch of time."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate

import numpy as np

from uptake.model import cancellation
from uptake.reading.bounds import ANSWER_MEMORY, SAMPLE_BYTES, SPAN_BYTES, TooMuch
from uptake.samples.columns import Columns
from uptake.samples.merge import merge_packed
from uptake.samples.metrics import Metric
from uptake.samples.packed import Packed, unpack
from uptake.store.base import ItemQueries
from uptake.store.stored import Span

EARLIEST = -(1 << 62)
LATEST = 1 << 62
"""Ticks before and after every sample."""

HELD_SAMPLES = 500_000
"""Samples whose batches are read at a time; packed, they take a few tens of bytes each."""


WORKED_SAMPLES = 100_000
"""Samples that are worked on at a time, about; unless a single day has more."""


class Series:
    """A user's samples of one metric, of which there is at least one.

    Args:
        store: where they are.
        project: of the user.
        user_id: of the user.
        metric: what they measure.
        spans: of the batches that they are in, in order of `first`.
        memory: bytes that those which are worked on at a time may take, about.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - whose samples, and how much of them at a time
        self,
        store: ItemQueries,
        project: str,
        user_id: str,
        metric: Metric,
        spans: list[Span],
        memory: int = ANSWER_MEMORY,
    ) -> None:
        self._batches = partial(store.batches, project, user_id, metric)
        self._spans = spans
        self._most = memory // SAMPLE_BYTES
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
        """Up to which instant about so many samples start from `low` on.

        Batches that begin before have to be read for each stretch that they reach into: where there
        are many, stretches are longer, so that each is read a few times at most.
        """
        coming = [span for span in self._spans if span.last >= low]
        most = max(most, 2 * sum(span.count for span in coming if span.first < low))
        totals = accumulate(span.count for span in coming)
        late = [span.first for span, total in zip(coming, totals, strict=True) if total > most]
        return min(late, default=LATEST)

    def starting(self, low: int, high: int) -> Columns | None:
        """The samples that start in [low, high), each once and in order; None when none does."""
        count = sum(s.count for s in self._spans if s.first < high and s.last >= low)
        self._require(count)
        found = _merged(map(unpack, self._batches(low, high - 1)))
        if found is None:
            return None
        first, last = np.searchsorted(found.start, [low, high]).tolist()
        return found.take(slice(first, last)) if first < last else None

    def days(self, start: int, end: int, day: int) -> Iterator[Columns]:
        """The samples that start in [start, end), in order, with no day divided.

        Args:
            start: an instant.
            end: likewise.
            day: ticks of a day; days begin at its multiples.

        Raises:
            TooMuch: there are too many on one day.
        """
        low, end = max(start, self.first), min(end, self.last + 1)
        while low < end:
            cancellation.check()
            room = self.horizon(low, WORKED_SAMPLES)
            high = min(max(room // day * day, (low // day + 1) * day), end)
            columns = self.starting(low, high)
            if columns is not None:
                yield columns
            coming = self.next(high)
            low = end if coming is None else coming

    def _require(self, count: int) -> None:
        if count > self._most:
            raise TooMuch(
                f"{count} samples are to be looked at together: ask for a nearer `to` or, "
                "where there is one, a later `from`"
            )

    def reaching(self, low: int, high: int) -> Columns | None:
        """The samples with a part in [low, high); None when there is none.

        `low` must not be less than it was the last time.

        Raises:
            TooMuch: there are too many.
        """
        if high > self._held_to:
            self._hold(low, max(high, self.horizon(low, HELD_SAMPLES)))
        wanted = [one for one, until in self._held if one.first < high and until >= low]
        self._require(sum(one.count for one in wanted))
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


def series(
    store: ItemQueries, project: str, user_id: str, metric: Metric, memory: int = ANSWER_MEMORY
) -> Series | None:
    """Where a user's samples of a metric are; None when there are none.

    Raises:
        TooMuch: the user has too many batches.
    """
    spans = [span for span in all_spans(store, project, user_id, memory) if span.metric == metric]
    return Series(store, project, user_id, metric, spans, memory) if spans else None


def all_spans(
    store: ItemQueries, project: str, user_id: str, memory: int = ANSWER_MEMORY
) -> list[Span]:
    """The batches of a user, in order of metric and first sample.

    Raises:
        TooMuch: there are too many.
    """
    most = memory // SPAN_BYTES
    spans = store.spans(project, user_id, most + 1)
    if len(spans) > most:
        raise TooMuch(f"The user's samples came in more than {most} uploads")
    return spans

"""A user's samples of one metric, read one range of time after the other."""

from collections.abc import Callable, Iterable, Iterator
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

BUFFERED_SAMPLES = 500_000
"""Samples of the batches that are in memory; packed, they take a few tens of bytes each."""

SAMPLES_AT_ONCE = 100_000
"""Approximate number of samples that are processed at a time; a single day may have more."""


class Series:
    """A user's samples of one metric; there is at least one.

    Args:
        batches: reads the batches with samples that start between two instants, both inclusive.
        spans: the metadata of all batches, in order of `first`.
        memory: approximate memory for the samples that are processed at a time, in bytes.
    """

    def __init__(
        self,
        batches: Callable[[int, int], Iterable[bytes]],
        spans: list[Span],
        memory: int = ANSWER_MEMORY,
    ) -> None:
        self._batches = batches
        self._spans = spans
        self._most = memory // SAMPLE_BYTES
        self._buffer: list[tuple[Packed, int]] = []
        self._buffered_to = EARLIEST
        self.first = spans[0].first
        self.last = max(span.last for span in spans)

    def next(self, instant: int) -> int | None:
        """Return the start of the first sample at or after an instant; None if there is none."""
        coming = [span.first for span in self._spans if span.first >= instant]
        if any(span.first < instant <= span.last for span in self._spans):
            # There may be years between two samples of a batch.
            starts = [unpack(batch).starts() for batch in self._batches(instant, instant)]
            coming += [int(start[np.searchsorted(start, instant)]) for start in starts]
        return min(coming, default=None)

    def horizon(self, low: int, most: int) -> int:
        """Return the end of a range from `low` in which about `most` samples start.

        A batch is read for each range that it overlaps. If many batches begin before `low`, the
        range is longer, so that each batch is read a few times at most.
        """
        coming = [span for span in self._spans if span.last >= low]
        most = max(most, 2 * sum(span.count for span in coming if span.first < low))
        totals = accumulate(span.count for span in coming)
        late = [span.first for span, total in zip(coming, totals, strict=True) if total > most]
        return min(late, default=LATEST)

    def starting(self, low: int, high: int) -> Columns | None:
        """Return the samples that start in [low, high), each once, in order; None if none do."""
        count = sum(s.count for s in self._spans if s.first < high and s.last >= low)
        self._require(count)
        found = _merged(map(unpack, self._batches(low, high - 1)))
        if found is None:
            return None
        first, last = np.searchsorted(found.start, [low, high]).tolist()
        return found.take(slice(first, last)) if first < last else None

    def days(self, start: int, end: int, day: int) -> Iterator[Columns]:
        """Yield the samples that start in [start, end) in order, each day as a whole.

        Args:
            start: an instant.
            end: an instant.
            day: ticks of a day; days begin at its multiples.

        Raises:
            TooMuch: one day has too many samples.
        """
        low, end = max(start, self.first), min(end, self.last + 1)
        while low < end:
            cancellation.check()
            room = self.horizon(low, SAMPLES_AT_ONCE)
            high = min(max(room // day * day, (low // day + 1) * day), end)
            columns = self.starting(low, high)
            if columns is not None:
                yield columns
            coming = self.next(high)
            low = end if coming is None else coming

    def _require(self, count: int) -> None:
        if count > self._most:
            raise TooMuch(
                f"{count} samples would have to be processed together: use an earlier `to` or, "
                "if the request has one, a later `from`"
            )

    def overlapping(self, low: int, high: int) -> Columns | None:
        """Return the samples that overlap [low, high); None if there are none.

        `low` must not decrease from call to call.

        Raises:
            TooMuch: there are too many samples.
        """
        if high > self._buffered_to:
            self._fill_buffer(low, max(high, self.horizon(low, BUFFERED_SAMPLES)))
        wanted = [one for one, until in self._buffer if one.first < high and until >= low]
        self._require(sum(one.count for one in wanted))
        found = _merged(wanted)
        if found is None:
            return None
        found = found.take(slice(0, int(np.searchsorted(found.start, high))))
        overlaps = found.start + np.maximum(found.duration, 0) >= low
        if not overlaps.all():
            found = found.take(overlaps)
        return found if len(found) else None

    def _fill_buffer(self, low: int, high: int) -> None:
        """Read the batches with samples that may overlap [low, high)."""
        # A sample may be of any length: one that overlaps a day may have started years earlier.
        packed = map(unpack, self._batches(EARLIEST, high - 1))
        ends = ((one, one.until) for one in packed)
        self._buffer = [(one, until) for one, until in ends if until >= low]
        self._buffered_to = high


def _merged(packed: Iterable[Packed]) -> Columns | None:
    batches = list(packed)
    return merge_packed(batches) if batches else None


def series(
    store: ItemQueries, project: str, user_id: str, metric: Metric, memory: int = ANSWER_MEMORY
) -> Series | None:
    """Return a user's samples of a metric; None if there are none.

    Raises:
        TooMuch: the user has too many batches.
    """
    spans = [span for span in all_spans(store, project, user_id, memory) if span.metric == metric]
    if not spans:
        return None
    return Series(partial(store.batches, project, user_id, metric), spans, memory)


def all_spans(
    store: ItemQueries, project: str, user_id: str, memory: int = ANSWER_MEMORY
) -> list[Span]:
    """Return the metadata of a user's batches, in order of metric and first sample.

    Raises:
        TooMuch: there are too many batches.
    """
    most = memory // SPAN_BYTES
    spans = store.spans(project, user_id, most + 1)
    if len(spans) > most:
        raise TooMuch(
            f"The user's samples are in more than {most} batches: raise the memory limit of answers"
        )
    return spans

"""A user's samples of one metric, read one range of time after the other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from msgspec import Struct

from uptake.model import cancellation
from uptake.reading import Unknown
from uptake.reading.bounds import ANSWER_MEMORY, SAMPLE_BYTES, SPAN_BYTES, TooMuch
from uptake.samples.columns import Columns
from uptake.samples.merge import Opened, merge_parts, open_all
from uptake.samples.metrics import METRICS, Metric
from uptake.store.base import BatchQueries, ItemQueries
from uptake.store.stored import Span, StoredBatch
from uptake.time_units import TICKS_PER_DAY

EARLIEST = -(1 << 62)
LATEST = 1 << 62
"""Ticks before and after every sample."""

BUFFERED_SAMPLES = 500_000
"""Samples of the batches that are in memory; packed, they take a few tens of bytes each."""

SAMPLES_AT_ONCE = 100_000
"""Approximate number of samples that are processed at a time; a single day may have more."""


class Batches(NamedTuple):
    """Reads batches and blocks.

    Attributes:
        starting: those with samples that start between two instants, both inclusive.
        overlapping: the same, and those with earlier samples that may end after the first instant.
    """

    starting: Callable[[int, int], Iterable[StoredBatch]]
    overlapping: Callable[[int, int], Iterable[StoredBatch]]


class Series:
    """A user's samples of one metric; there is at least one.

    Args:
        batches: reads them.
        spans: the metadata of all of them, in order of `first`.
        memory: approximate memory for the samples that are processed at a time, in bytes.

    Attributes:
        first, last: the starts of the first and the last sample.
    """

    def __init__(
        self,
        batches: Batches,
        spans: list[Span],
        memory: int,
    ) -> None:
        self._batches = batches
        self._most = memory // SAMPLE_BYTES
        self._buffer: list[Opened] = []
        self._buffered_to = EARLIEST
        self._first, self._last, self._count = np.array(
            [(span.first, span.last, span.count) for span in spans], np.int64
        ).T
        self.first, self.last = int(self._first[0]), int(self._last.max())

    def clusters(self) -> Iterator[tuple[int, int, int | None]]:
        """Yield groups of batches; the same sample cannot be in batches of two groups.

        Each is the starts of its first and last sample, and the number of its samples if it is
        known without reading them.
        """
        reached = np.maximum.accumulate(self._last)
        begins = np.flatnonzero(np.append(True, self._first[1:] > reached[:-1]))
        ends = np.append(begins[1:], len(self._first))
        single = np.where(ends - begins == 1, self._count[begins], -1)
        for first, last, count in zip(
            self._first[begins].tolist(), reached[ends - 1].tolist(), single.tolist(), strict=True
        ):
            yield first, last, None if count < 0 else count

    def next(self, instant: int) -> int | None:
        """Return the start of the first sample at or after an instant; None if there is none."""
        after = int(np.searchsorted(self._first, instant))
        coming = self._first[after : after + 1].tolist()
        if (self._last[:after] >= instant).any():
            # There may be years between two samples of a batch.
            for one in open_all(self._batches.starting(instant, instant)):
                starts = one.samples.starts()
                coming.append(int(starts[starts >= instant].min()))
        return min(coming, default=None)

    def horizon(self, low: int, most: int) -> int:
        """Return the end of a range from `low` in which about `most` samples start, or more.

        A batch is read for each range that it overlaps. If many batches begin before `low`, the
        range is longer, so that each batch is read a few times at most.
        """
        coming = self._last >= low
        first, count = self._first[coming], self._count[coming]
        most = max(most, 2 * int(count[: np.searchsorted(first, low)].sum()))
        before = np.cumsum(count) - count
        late = int(np.searchsorted(before, most))
        return int(first[late]) if late < len(first) else LATEST

    def starting(self, low: int, high: int) -> Columns | None:
        """Return the samples that start in [low, high), each once, in order; None if none do."""
        inside = (self._first < high) & (self._last >= low)
        self._require(int(self._count[inside].sum()))
        found = merge_parts(
            [one.part(low, high) for one in open_all(self._batches.starting(low, high - 1))]
        )
        if found is None:
            return None
        first, last = np.searchsorted(found.start, [low, high]).tolist()
        return found.take(slice(first, last)) if first < last else None

    def days(self, start: int, end: int) -> Iterator[Columns]:
        """Yield the samples that start in [start, end) in order, each UTC day as a whole.

        Raises:
            TooMuch: one day has too many samples.
        """
        day = TICKS_PER_DAY
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
        wanted = [one for one in self._buffer if one.first < high and one.until >= low]
        longest = max((one.samples.longest for one in wanted), default=0)
        parts = [one.part(low - longest, high) for one in wanted]
        self._require(sum(map(len, parts)))
        found = merge_parts(parts)
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
        opened = open_all(self._batches.overlapping(low, high - 1))
        self._buffer = [one for one in opened if one.until >= low]
        self._buffered_to = high


class SampleQuery(Struct, frozen=True):
    """The samples of a metric that start in [start, end), in ticks."""

    metric: Metric
    start: int = EARLIEST
    end: int = LATEST


class UserStore(ItemQueries, BatchQueries, Protocol):
    """The ports that one user is read from."""


@dataclass(frozen=True, slots=True)
class UserData:
    """The stored data of one user.

    Attributes:
        store: where it is read.
        project: of the user.
        user_id: the user.
        memory: approximate memory that one answer may take to compute, in bytes.
    """

    store: UserStore
    project: str
    user_id: str
    memory: int = ANSWER_MEMORY

    def require(self) -> None:
        """Check that the user exists.

        Raises:
            Unknown: the user does not exist.
        """
        if not self.store.has_user(self.project, self.user_id):
            raise Unknown("user", self.user_id)

    def series(self, metric: Metric) -> Series | None:
        """Return the samples of a metric; None if there are none.

        Raises:
            TooMuch: the user has too many batches.
        """
        return self._series(metric, self._spans(metric))

    def all_series(self) -> dict[Metric, Series]:
        """Return the samples of all metrics that the user has.

        Raises:
            TooMuch: the user has too many batches.
        """
        spans = self._spans()
        found = ((metric, self._series(metric, spans)) for metric in METRICS)
        return {metric: series for metric, series in found if series is not None}

    def _series(self, metric: Metric, spans: list[Span]) -> Series | None:
        own = [span for span in spans if span.metric == metric]
        owner = self.project, self.user_id, metric
        batches = Batches(
            partial(self.store.batches, *owner), partial(self.store.overlapping_batches, *owner)
        )
        return Series(batches, own, self.memory) if own else None

    def _spans(self, metric: Metric | None = None) -> list[Span]:
        most = self.memory // SPAN_BYTES
        spans = self.store.spans(self.project, self.user_id, metric, most + 1)
        if len(spans) > most:
            raise TooMuch(
                f"The user's samples are in more than {most} batches: raise the memory limit of "
                "answers"
            )
        return spans

"""Merges batches that may overlap, as if their samples had arrived as one batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from uptake.samples.blocks import sequences
from uptake.samples.columns import (
    COLUMNS,
    Columns,
    concatenated,
    from_all_bytes,
    from_bytes,
    latest,
)
from uptake.samples.packed import Packed, unpack
from uptake.samples.times import Int64s

MAX_PENDING = 1 << 18
"""Samples that wait for batches that overlap them, before the complete ones are yielded."""

SMALL_BYTES = 4096
"""Batches with fewer bytes are decoded together with others: all their samples take less time than
their headers, one by one. A batch of the 512 samples that are folded at most is smaller."""

DECODED_AT_ONCE = 256
"""Small batches that are decoded together to be merged in parts: 130,000 samples at most."""

Received = Callable[[], Int64s]
"""Returns the sequence of each sample, for samples that are not in the order of receipt."""

Pending = list[tuple[Int64s, Columns]]
"""Batches with the sequence of each sample."""


class Batch(Protocol):
    """A stored batch, or a block of batches (`blocks`)."""

    @property
    def first(self) -> int:
        """The start of its first sample."""

    @property
    def last(self) -> int:
        """The start of its last sample."""

    @property
    def sequence(self) -> int:
        """The order of receipt; of a block, that of its last batch."""

    @property
    def columns(self) -> bytes:
        """The bytes of `columns.to_bytes`."""

    @property
    def directory(self) -> bytes | None:
        """The directory of a block."""

    @property
    def until(self) -> int | None:
        """The end of the sample that ends last, if it is known."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Samples in order of start, with the interface of `Packed`."""

    columns: Columns

    @property
    def count(self) -> int:
        """The number of samples."""
        return len(self.columns)

    @property
    def devices(self) -> tuple[str, ...]:
        """The device names in use."""
        return self.columns.devices

    @property
    def versions(self) -> tuple[str | None, ...]:
        """The device versions in use."""
        return self.columns.versions

    @property
    def longest(self) -> int:
        """Ticks from start to end of the longest sample."""
        return max(int(self.columns.duration.max()), 0)

    def starts(self) -> Int64s:
        """Return the starts of the samples in ticks."""
        return self.columns.start

    def fill(self, numbers: Int64s, value: NDArray[np.float64], part: slice = slice(None)) -> None:
        """Copy the samples, or consecutive ones."""
        numbers[:] = self.columns.numbers[:, part]
        value[:] = self.columns.value[part]


@dataclass(frozen=True, slots=True)
class Opened:
    """A batch or block with a decoded header, or many small batches, decoded.

    Attributes:
        samples: all samples.
        first, last: the starts of the first and the last sample.
        until: an instant at or after the end of every sample.
        received: returns the sequence of each sample.
    """

    samples: Packed | Decoded
    first: int
    last: int
    until: int
    received: Received

    @classmethod
    def of(cls, batch: Batch) -> "Opened":
        """Decode the header of a batch or block."""
        packed = unpack(batch.columns)
        until = packed.until if batch.until is None else batch.until
        return cls(packed, batch.first, batch.last, until, lambda: _received(batch, packed.count))

    @classmethod
    def together(cls, batches: Sequence[Batch]) -> "Opened":
        """Decode at least one batch; batches are in the order of receipt."""
        columns, counts = from_all_bytes([batch.columns for batch in batches])
        received = np.repeat([batch.sequence for batch in batches], counts)
        order = np.argsort(columns.start, kind="stable")
        columns, received = columns.take(order), received[order]
        first, last = columns.start[[0, -1]].tolist()
        until = int((columns.start + np.maximum(columns.duration, 0)).max())
        return cls(Decoded(columns), first, last, until, lambda: received)

    def part(self, low: int, high: int) -> "Part":
        """The samples that start in [low, high), or all."""
        if low <= self.first and self.last < high:
            return Part(self, 0, self.samples.count)
        starts = self.samples.starts()
        if (starts[1:] < starts[:-1]).any():
            return Part(self, 0, self.samples.count)
        first, last = np.searchsorted(starts, [low, high]).tolist()
        return Part(self, first, last, starts)


def open_all(batches: Iterable[Batch]) -> list[Opened]:
    """Decode the headers of batches and blocks, in the order of receipt, and small batches."""
    small: list[Batch] = []
    opened = []
    for batch in batches:
        if batch.directory is None and len(batch.columns) <= SMALL_BYTES:
            small.append(batch)
        else:
            opened.append(Opened.of(batch))
    return [*opened, Opened.together(small)] if small else opened


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive samples of a batch.

    Attributes:
        opened: the batch.
        first, last: the places of the samples: from `first` until before `last`.
        starts: of all samples of the batch; None for a part that has all of them.
    """

    opened: Opened
    first: int
    last: int
    starts: Int64s | None = None

    def __len__(self) -> int:
        return self.last - self.first

    def fill(self, numbers: Int64s, value: NDArray[np.float64]) -> None:
        """Decode the samples into arrays of their number."""
        if self.starts is None:
            self.opened.samples.fill(numbers, value)
            return
        part = slice(self.first, self.last)
        self.opened.samples.fill(numbers, value, part)
        numbers[0] = self.starts[part]

    def received(self) -> Int64s:
        """The sequence of each sample."""
        return self.opened.received()[self.first : self.last]


def _received(batch: Batch, count: int) -> Int64s:
    """The sequence of each sample of a batch or block."""
    if batch.directory is None:
        return np.full(count, batch.sequence)
    return sequences(batch.directory)


def merge(batches: Sequence[Columns], received: Received | None = None) -> Columns:
    """Returns all samples of at least one batch; batches are in the order of receipt.

    Of repeated samples, the one received last is retained. The result does not depend on how the
    samples were split into batches.
    """
    if len(batches) == 1 and received is None:
        return batches[0]
    numbers = np.concatenate([batch.numbers for batch in batches], axis=1)
    value = np.concatenate([batch.value for batch in batches])
    counts = [len(batch) for batch in batches]
    return _merged(concatenated(numbers, value, batches, counts), received)


def merge_parts(parts: Sequence[Part]) -> Columns | None:
    """Returns the samples of parts, as `merge` does; None if there are none."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    counts = list(map(len, parts))
    numbers = np.empty((len(COLUMNS), sum(counts)), np.int64)
    value = np.empty(sum(counts))
    at = 0
    for part in parts:
        inside = slice(at, at + len(part))
        part.fill(numbers[:, inside], value[inside])
        at += len(part)
    columns = concatenated(numbers, value, [part.opened.samples for part in parts], counts)
    return _merged(columns, lambda: np.concatenate([part.received() for part in parts]))


def _merged(columns: Columns, received: Received | None) -> Columns:
    start = columns.start
    if received is not None and not (start[1:] > start[:-1]).all():
        sequence = received()
        if (sequence[1:] < sequence[:-1]).any():
            columns = columns.take(np.argsort(sequence, kind="stable"))
    return latest(columns)


def merge_in_parts(batches: Iterable[Batch], max_pending: int = MAX_PENDING) -> Iterator[Columns]:
    """Yields the samples of `merge`, in order, in parts.

    A batch is decoded when its first sample is due, and released when no further batch overlaps it.

    Args:
        batches: in any order; their bytes are retained.
        max_pending: with more pending samples, those before the next batch are yielded, although
            further batches may overlap the others.
    """
    pending: Pending = []
    count, limit, end = 0, max_pending, 0
    for batch, columns in _decoded(sorted(batches, key=attrgetter("first"))):
        if pending and batch.first > end:
            yield _complete(pending)
            pending, count, limit = [], 0, max_pending
        elif count > limit:
            complete, pending = _split(pending, batch.first)
            if complete:
                yield _complete(complete)
            count = sum(len(columns) for _, columns in pending)
            # If few samples are complete, the next attempt is not immediate.
            limit = max(max_pending, 2 * count)
        pending.append((_received(batch, len(columns)), columns))
        count += len(columns)
        end = max(end, batch.last) if len(pending) > 1 else batch.last
    if pending:
        yield _complete(pending)


def _decoded(batches: Sequence[Batch]) -> Iterator[tuple[Batch, Columns]]:
    """Yield batches and blocks with their samples. Consecutive small ones are decoded together."""
    for start in range(0, len(batches), DECODED_AT_ONCE):
        some = batches[start : start + DECODED_AT_ONCE]
        if any(len(batch.columns) > SMALL_BYTES for batch in some):
            for batch in some:
                yield batch, from_bytes(batch.columns)
            continue
        columns, counts = from_all_bytes([batch.columns for batch in some])
        ends = list(accumulate(counts, initial=0))
        for batch, begin, end in zip(some, ends, ends[1:], strict=False):
            yield batch, columns.take(slice(begin, end))


def _complete(pending: Pending) -> Columns:
    return merge(
        [columns for _, columns in pending],
        lambda: np.concatenate([sequence for sequence, _ in pending]),
    )


def _split(pending: Pending, at: int) -> tuple[Pending, Pending]:
    """The samples that start before an instant, and the others."""
    before: Pending = []
    after: Pending = []
    for sequence, columns in pending:
        early = columns.start < at
        for side, part in ((before, early), (after, ~early)):
            if part.any():
                side.append((sequence[part], columns.take(part)))
    return before, after

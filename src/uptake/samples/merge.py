"""Merges batches that may overlap, as if their samples had arrived as one batch."""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import COLUMNS, Columns, Name, from_bytes, latest, table_of
from uptake.samples.packed import Packed
from uptake.samples.times import Int64s

MAX_PENDING = 1 << 18
"""Samples that wait for batches that overlap them, before the complete ones are yielded."""

Pending = list[tuple[int, Columns]]
"""Batches with their sequences."""


class Batch(Protocol):
    """A stored batch."""

    @property
    def first(self) -> int:
        """The start of its first sample."""

    @property
    def last(self) -> int:
        """The start of its last sample."""

    @property
    def sequence(self) -> int:
        """The order of receipt."""

    @property
    def columns(self) -> bytes:
        """The bytes of `columns.to_bytes`."""


def merge(batches: Sequence[Columns]) -> Columns:
    """Returns all samples of at least one batch; batches are in the order of receipt.

    Of repeated samples, the one received last is retained. The result does not depend on how the
    samples were split into batches.
    """
    if len(batches) == 1:
        return batches[0]
    numbers = np.concatenate([batch.numbers for batch in batches], axis=1)
    value = np.concatenate([batch.value for batch in batches])
    return _named(numbers, value, batches, [len(batch) for batch in batches])


def merge_packed(batches: Sequence[Packed]) -> Columns:
    """As `merge`, of encoded batches, which are decoded into one array."""
    counts = [batch.count for batch in batches]
    numbers = np.empty((len(COLUMNS), sum(counts)), np.int64)
    value = np.empty(sum(counts))
    at = 0
    for batch, count in zip(batches, counts, strict=True):
        batch.fill(numbers[:, at : at + count], value[at : at + count])
        at += count
    return _named(numbers, value, batches, counts)


def _named(
    numbers: Int64s,
    value: NDArray[np.float64],
    batches: Sequence[Columns] | Sequence[Packed],
    counts: Sequence[int],
) -> Columns:
    """The concatenated samples of batches, with common tables of names."""
    devices, numbers[4] = _renamed(numbers[4], [batch.devices for batch in batches], counts)
    versions, numbers[5] = _renamed(numbers[5], [batch.versions for batch in batches], counts)
    return latest(Columns(numbers, value, devices, versions))


def _renamed(
    places: Int64s, tables: Sequence[Sequence[Name]], counts: Sequence[int]
) -> tuple[tuple[Name, ...], Int64s]:
    if all(table == tables[0] for table in tables):
        return tuple(tables[0]), places
    names, place = table_of([name for table in tables for name in table])
    begins = np.cumsum([0, *map(len, tables[:-1])], dtype=np.int64)
    return names, place[places + np.repeat(begins, counts)]


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
    for batch in sorted(batches, key=attrgetter("first")):
        if pending and batch.first > end:
            yield _merged(pending)
            pending, count, limit = [], 0, max_pending
        elif count > limit:
            complete, pending = _split(pending, batch.first)
            if complete:
                yield _merged(complete)
            count = sum(len(columns) for _, columns in pending)
            # If few samples are complete, the next attempt is not immediate.
            limit = max(max_pending, 2 * count)
        columns = from_bytes(batch.columns)
        pending.append((batch.sequence, columns))
        count += len(columns)
        end = max(end, batch.last) if len(pending) > 1 else batch.last
    if pending:
        yield _merged(pending)


def _merged(pending: Pending) -> Columns:
    return merge([columns for _, columns in sorted(pending, key=itemgetter(0))])


def _split(pending: Pending, at: int) -> tuple[Pending, Pending]:
    """The samples that start before an instant, and the others."""
    before: Pending = []
    after: Pending = []
    for sequence, columns in pending:
        place = int(columns.start.searchsorted(at))
        for side, part in ((before, slice(0, place)), (after, slice(place, None))):
            taken = columns.take(part)
            if len(taken):
                side.append((sequence, taken))
    return before, after

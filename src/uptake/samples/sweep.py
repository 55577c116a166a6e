"""Batches of one user and metric merged from the first sample to the last, a piece at a time."""

from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import Protocol

from uptake.samples.columns import Columns, from_bytes
from uptake.samples.merge import merge

MOST_WAITING = 1 << 18
"""Samples that wait for others that may come before or replace them, before some are let go."""

Waiting = list[tuple[int, Columns]]
"""Batches with their sequences."""


class Batch(Protocol):
    """A batch as it is kept."""

    @property
    def first(self) -> int:
        """When its first sample starts."""

    @property
    def last(self) -> int:
        """When its last sample starts."""

    @property
    def sequence(self) -> int:
        """The higher, the later it was received."""

    @property
    def columns(self) -> bytes:
        """What `columns.to_bytes` gave."""


def swept(batches: Iterable[Batch], most_waiting: int = MOST_WAITING) -> Iterator[Columns]:
    """The same samples that `merge` gives, in the same order, in pieces.

    Batches are decoded when their turn comes, and forgotten when no other overlaps them any more.

    Args:
        batches: in any order; their bytes are held.
        most_waiting: from how many samples on those that are settled are given away, although
            batches that overlap theirs are still to come.
    """
    waiting: Waiting = []
    count, limit, reach = 0, most_waiting, 0
    for batch in sorted(batches, key=attrgetter("first")):
        if waiting and batch.first > reach:
            yield _merged(waiting)
            waiting, count, limit = [], 0, most_waiting
        elif count > limit:
            settled, waiting = _parted(waiting, batch.first)
            if settled:
                yield _merged(settled)
            count = sum(len(columns) for _, columns in waiting)
            # Where little can be let go it is not tried again at once.
            limit = max(most_waiting, 2 * count)
        columns = from_bytes(batch.columns)
        waiting.append((batch.sequence, columns))
        count += len(columns)
        reach = max(reach, batch.last) if len(waiting) > 1 else batch.last
    if waiting:
        yield _merged(waiting)


def _merged(waiting: Waiting) -> Columns:
    return merge([columns for _, columns in sorted(waiting, key=itemgetter(0))])


def _parted(waiting: Waiting, at: int) -> tuple[Waiting, Waiting]:
    """The samples that start before an instant, and the others."""
    before: Waiting = []
    after: Waiting = []
    for sequence, columns in waiting:
        place = int(columns.start.searchsorted(at))
        for side, part in ((before, slice(0, place)), (after, slice(place, None))):
            kept = columns.take(part)
            if len(kept):
                side.append((sequence, kept))
    return before, after

"""Batches that may overlap, brought together as if they had arrived as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import COLUMNS, Columns, Name, latest, table_of
from uptake.samples.packed import Packed
from uptake.samples.times import Int64s


def merge(batches: Sequence[Columns]) -> Columns:
    """One batch of all the samples of at least one batch, given in the order received.

    Of samples that are the same, the one received last is kept. The result does not depend on
    how the samples were split into batches.
    """
    if len(batches) == 1:
        return batches[0]
    numbers = np.concatenate([batch.numbers for batch in batches], axis=1)
    value = np.concatenate([batch.value for batch in batches])
    return _named(numbers, value, batches, [len(batch) for batch in batches])


def merge_packed(batches: Sequence[Packed]) -> Columns:
    """As `merge`, of batches that are decoded into their places at once."""
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
    """The samples of batches one after the other, with tables of names for all of them."""
    devices, numbers[4] = _renamed(numbers[4], [batch.devices for batch in batches], counts)
    versions, numbers[5] = _renamed(numbers[5], [batch.versions for batch in batches], counts)
    return latest(Columns(numbers, value, devices, versions))


def _renamed(
    places: Int64s, tables: Sequence[Sequence[Name]], counts: Sequence[int]
) -> tuple[tuple[Name, ...], Int64s]:
    """One table of all names, and the places in it of samples that have those in their own."""
    if all(table == tables[0] for table in tables):
        return tuple(tables[0]), places
    names, place = table_of([name for table in tables for name in table])
    begins = np.cumsum([0, *map(len, tables[:-1])], dtype=np.int64)
    return names, place[places + np.repeat(begins, counts)]

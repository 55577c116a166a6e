"""Batches that may overlap, brought together as if they had arrived as one."""

from collections.abc import Sequence

import numpy as np

from uptake.samples.columns import Columns, latest, table_of


def merge(batches: Sequence[Columns]) -> Columns:
    """One batch of all the samples of at least one batch, given in the order received.

    Of samples that are the same, the one received last is kept. The result does not depend on
    how the samples were split into batches.
    """
    if len(batches) == 1:
        return batches[0]
    devices, device = table_of([name for batch in batches for name in batch.devices])
    versions, version = table_of([name for batch in batches for name in batch.versions])
    numbers = np.concatenate([batch.numbers for batch in batches], axis=1)
    value = np.concatenate([batch.value for batch in batches])
    counts = [len(batch) for batch in batches]
    numbers[4] = device[numbers[4] + _shifts(counts, [len(b.devices) for b in batches])]
    numbers[5] = version[numbers[5] + _shifts(counts, [len(b.versions) for b in batches])]
    return latest(Columns(numbers, value, devices, versions))


def _shifts(
    counts: Sequence[int], sizes: Sequence[int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For every sample, where its own batch's table of names begins among all tables."""
    begins = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
    return np.repeat(begins, counts)

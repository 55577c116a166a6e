"""Rows of small integers as one number each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from uptake.samples.times import Int64s

TABLE = 1 << 21
"""Combinations up to which a table of all is faster than sorting those that occur."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The distinct rows of some columns, numbered in order.

    Attributes:
        keys: the values of each distinct row, one array for each column.
        member: the number of each row.
    """

    keys: tuple[Int64s, ...]
    member: Int64s

    def __len__(self) -> int:
        return len(self.keys[0])


def group(columns: Sequence[Int64s], sizes: Sequence[int]) -> Groups:
    """Numbers the distinct rows of columns.

    Args:
        columns: at least one, all of one length.
        sizes: the upper bound of each column; their product fits an int64.
    """
    total = prod(sizes)
    code = columns[0]
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        code = code * size + column
    if total <= TABLE:
        there = np.bincount(code, minlength=total) > 0
        found = np.flatnonzero(there)
        member = (np.cumsum(there) - 1)[code]
    else:
        found, member = np.unique(code, return_inverse=True)
    keys = []
    for size in reversed(sizes[1:]):
        found, rest = np.divmod(found, size)
        keys.append(rest)
    return Groups((found, *reversed(keys)), member)

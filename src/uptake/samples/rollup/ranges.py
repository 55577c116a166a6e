"""What ranges of segments come to in each segment, however many of them overlap."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from uptake.samples.times import Int64s

Numbers = TypeVar("Numbers", NDArray[np.int64], NDArray[np.float64])

LIMB = 30
"""Bits of the parts in which sums are worked out; sums of up to four million stay exact."""

MANTISSA = 53
"""Bits of a double's mantissa."""


def least(first: Int64s, last: Int64s, values: Numbers, segments: int) -> Numbers:
    """The least value of the ranges [first, last) that hold each segment; without any, the most.

    Each range is written as two overlapping ranges of a power of two, the largest that fits; these
    are then halved, level by level. So the work does not depend on how ranges overlap.
    """
    level = np.frexp((last - first).astype(np.float64))[1] - 1
    top = int(level.max())
    nothing = np.inf if values.dtype.kind == "f" else np.iinfo(np.int64).max
    lowest = np.full(segments, nothing, values.dtype)
    for power in range(top, -1, -1):
        size = 1 << power
        if power < top:
            # What holds for a range of two halves holds for both.
            above = lowest.copy()
            np.minimum(lowest[size:], above[: segments - size], out=lowest[size:])
        here = np.flatnonzero(level == power)
        np.minimum.at(lowest, first[here], values[here])
        if power:
            np.minimum.at(lowest, last[here] - size, values[here])
    return lowest


def exact_sums(
    first: Int64s, last: Int64s, values: NDArray[np.float64], segments: int
) -> NDArray[np.float64]:
    """The sum of the values of the ranges [first, last) that hold each segment.

    Values, none of them negative, are taken apart into whole numbers of `LIMB` bits, at places that
    are the same for all numbers. Whole numbers are added at a range's beginning and taken away at
    its end without any error; so a sum depends on the values in it alone.
    """
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, MANTISSA).astype(np.int64)
    limb, shift = np.divmod(exponent.astype(np.int64) - MANTISSA, LIMB)
    mask = (1 << LIMB) - 1
    low, high = (mantissa & mask) << shift, (mantissa >> LIMB) << shift
    parts = (low & mask, (low >> LIMB) + (high & mask), high >> LIMB)
    sums = np.zeros(segments)
    for place in sorted({place + i for place in np.unique(limb).tolist() for i in range(3)})[::-1]:
        digits = np.zeros(len(values))
        for i, part in enumerate(parts):
            here = limb + i == place
            digits[here] = part[here]
        change = np.bincount(first, digits, segments) - np.bincount(last, digits, segments)
        with np.errstate(over="ignore", under="ignore"):
            sums += np.ldexp(np.cumsum(change), place * LIMB)
    return sums

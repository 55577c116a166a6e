"""Minima and sums of overlapping ranges in each segment."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from uptake.samples.times import Int64s

Numbers = TypeVar("Numbers", NDArray[np.int64], NDArray[np.float64])

LIMB = 30
"""Bits of the digits of sums; sums of up to four million values are exact."""

MANTISSA = 53
"""Bits of a double's mantissa."""


def least(first: Int64s, last: Int64s, values: Numbers, segments: int) -> Numbers:
    """The least value of the ranges [first, last) over each segment, or the largest number.

    Each range is two overlapping ranges of the largest power of two that fits, which are then
    halved level by level. So the time does not depend on how ranges overlap.
    """
    level = np.frexp((last - first).astype(np.float64))[1] - 1
    top = int(level.max())
    nothing = np.inf if values.dtype.kind == "f" else np.iinfo(np.int64).max
    lowest = np.full(segments, nothing, values.dtype)
    for power in range(top, -1, -1):
        size = 1 << power
        if power < top:
            # The least value of a range applies to both halves.
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
    """The sum of the values of the ranges [first, last) over each segment.

    Values, none of them negative, are split into integers of `LIMB` bits at fixed places. Integers
    are added at the begin of a range and subtracted at its end without rounding, so a sum depends
    only on its own values.
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

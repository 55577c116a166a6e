"""Timestamps of columnar files as ISO 8601 text, in the zone that the column names."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_SECOND_DIGITS = len("2024-03-05T07:08:09")
_UTC = ("UTC", "Z")


def iso(moments: pa.Array) -> pa.Array:
    """Timestamps as text: `2024-03-05T07:08:09+01:00`, without an offset when the type has no zone.

    Each has as many digits of a second's fraction as it needs, of 0, 3, 6 and 9, so that the text
    of a moment does not depend on the others. Where a zone is apart from UTC by more than whole
    minutes, which ISO 8601 cannot tell, as all were in the 19th century, UTC is told.

    Raises:
        pa.ArrowException: the zone is not known.
    """
    unit, zone = moments.type.unit, moments.type.tz
    absent = moments.is_null().to_numpy(zero_copy_only=False)
    utc = _ticks(moments)
    if zone is None:
        return _told(utc, unit, absent)
    if zone in _UTC:
        return pc.binary_join_element_wise(_told(utc, unit, absent), "Z", "")
    local = _ticks(pc.local_timestamp(moments))
    minute = 60 * _TICKS[unit]
    apart = np.where((local - utc) % minute == 0, local - utc, 0)
    offsets, which = np.unique(apart // minute, return_inverse=True)
    suffixes = pa.array([_offset(int(minutes)) for minutes in offsets]).take(pa.array(which))
    return pc.binary_join_element_wise(_told(utc + apart, unit, absent), suffixes, "")


def _ticks(moments: pa.Array) -> NDArray[np.int64]:
    ticks: NDArray[np.int64] = moments.cast(pa.int64()).fill_null(0).to_numpy()
    return ticks


def _offset(minutes: int) -> str:
    """Minutes east of UTC as `+01:00`."""
    sign, minutes = "-" if minutes < 0 else "+", abs(minutes)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _told(clock: NDArray[np.int64], unit: str, absent: NDArray[np.bool_]) -> pa.Array:
    """Readings of a clock as text."""
    readings = pa.array(clock, mask=absent).cast(pa.timestamp(unit))
    told = pc.binary_replace_slice(readings.cast(pa.string()), 10, 11, "T")
    for digits in range(_DIGITS[unit] - 3, -1, -3):
        whole = pa.array(clock % (_TICKS[unit] // 10**digits) == 0)
        end = _SECOND_DIGITS + (digits and digits + 1)
        told = pc.if_else(whole, pc.utf8_slice_codeunits(told, 0, end), told)
    return told

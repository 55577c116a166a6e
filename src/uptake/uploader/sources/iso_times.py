"""Timestamps of columnar files as ISO 8601 text, in the zone that the column names.

Only the form changes: the text has every digit of the fraction.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.time_units import SECONDS_PER_DAY

_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_SECOND_DIGITS = len("2024-03-05T07:08:09")
_UTC = ("UTC", "Z")
_FIRST, _END = -62_135_596_800, 253_402_300_800
"""Seconds since the epoch of the years 1 and 10000."""

_BILLION = 10**9


def out_of_range(moments: pa.Array) -> list[int]:
    """The places of dates or timestamps outside the years 1 to 9999, the range of ISO 8601."""
    kind = moments.type
    if pa.types.is_date32(kind):
        return _outside(
            moments.cast(pa.int32()), _FIRST // SECONDS_PER_DAY, _END // SECONDS_PER_DAY
        )
    if pa.types.is_date64(kind):
        return _outside(moments.cast(pa.int64()), _FIRST * 1000, _END * 1000)
    if kind.unit == "ns":
        return []
    # The local time of a zone is written, which may differ by up to a day.
    margin = 0 if kind.tz in {None, *_UTC} else SECONDS_PER_DAY
    ticks = _TICKS[kind.unit]
    return _outside(moments.cast(pa.int64()), (_FIRST + margin) * ticks, (_END - margin) * ticks)


def _outside(values: pa.Array, first: int, end: int) -> list[int]:
    least, most = pc.min_max(values).as_py().values()
    if least is None or (least >= first and most < end):
        return []
    outside = pc.or_(pc.less(values, first), pc.greater_equal(values, end))
    places: list[int] = pc.indices_nonzero(outside).to_pylist()
    return places


def int96(seconds: pa.Array, nanoseconds: pa.Array) -> pa.Array:
    """Times that were stored as INT96, exactly, from two readings of them.

    Read as 64-bit nanoseconds, times before 1677 and after 2262 wrap around; read as seconds, they
    lose their fraction. The difference of both, modulo 2^64, is the fraction.

    Returns:
        The second reading if nothing wrapped in it, else structs of seconds and the nanoseconds
        that `iso` takes too.
    """
    whole = _ticks(seconds)
    fraction = (_ticks(nanoseconds).view(np.uint64) - (whole * _BILLION).view(np.uint64)).view(
        np.int64
    )
    floor = np.iinfo(np.int64).min // _BILLION + 1
    if ((whole >= floor) & (whole < -floor)).all():
        return nanoseconds
    return pa.StructArray.from_arrays(
        [seconds, pa.array(fraction)], ["seconds", "fraction"], mask=seconds.is_null()
    )


def iso_of_parts(parts: pa.Array) -> pa.Array:
    """Structs of `int96` as text; null where the seconds are."""
    seconds, fractions = parts.flatten()
    texts = iso(seconds).to_pylist()
    for place, fraction in enumerate(fractions.to_pylist()):
        if texts[place] is not None and fraction:
            digits = f"{fraction:09d}"
            while digits.endswith("000"):
                digits = digits[:-3]
            texts[place] += f".{digits}"
    return pa.array(texts, pa.string())


def iso(moments: pa.Array) -> pa.Array:
    """Timestamps as text: `2024-03-05T07:08:09+01:00`, without an offset when the type has no zone.

    Each has as many digits of a second's fraction as it needs, of 0, 3, 6 and 9, so that the text
    of a moment does not depend on the others. Where the offset of a zone has
    seconds, as all had in the 19th century, ISO 8601 cannot express it, and the text is in UTC.

    Raises:
        pa.ArrowException: the zone is not known.
    """
    unit, zone = moments.type.unit, moments.type.tz
    absent = moments.is_null().to_numpy(zero_copy_only=False)
    utc = _ticks(moments)
    if zone is None:
        return _texts(utc, unit, absent)
    if zone in _UTC:
        return pc.binary_join_element_wise(_texts(utc, unit, absent), "Z", "")
    local = _ticks(pc.local_timestamp(moments))
    minute = 60 * _TICKS[unit]
    offset = np.where((local - utc) % minute == 0, local - utc, 0)
    offsets, which = np.unique(offset // minute, return_inverse=True)
    suffixes = pa.array([_offset(int(minutes)) for minutes in offsets]).take(pa.array(which))
    return pc.binary_join_element_wise(_texts(utc + offset, unit, absent), suffixes, "")


def _ticks(moments: pa.Array) -> NDArray[np.int64]:
    ticks: NDArray[np.int64] = moments.cast(pa.int64()).fill_null(0).to_numpy()
    return ticks


def _offset(minutes: int) -> str:
    """Minutes east of UTC as `+01:00`."""
    sign, minutes = "-" if minutes < 0 else "+", abs(minutes)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _texts(clock: NDArray[np.int64], unit: str, absent: NDArray[np.bool_]) -> pa.Array:
    """Readings of a clock as text."""
    readings = pa.array(clock, mask=absent).cast(pa.timestamp(unit))
    texts = pc.binary_replace_slice(readings.cast(pa.string()), 10, 11, "T")
    for digits in range(_DIGITS[unit] - 3, -1, -3):
        whole = pa.array(clock % (_TICKS[unit] // 10**digits) == 0)
        end = _SECOND_DIGITS + (digits and digits + 1)
        texts = pc.if_else(whole, pc.utf8_slice_codeunits(texts, 0, end), texts)
    return texts

"""User ids and times of files, as text.

**User ids.** A whole number becomes its digits, also if it is stored as a floating-point number
(`42.0` is `42`), because other programs do that with whole numbers in a column with missing cells.
A floating-point number is an id only if it is a whole number so small that every whole number up to
it is exact in its type: below 2^53 for a double. Rows with anything else (fractions, larger
numbers, NaN, infinity, true and false) are reported, because it could mean several users. Text is
never changed: the text `42.0` in a CSV file is the user `42.0`.

**Times** become ISO 8601; the receiver validates any other text. What is converted:

- `2019-05-14 18:52:09 -0400`, with a space before the offset, becomes `2019-05-14T18:52:09-04:00`.
- `2024-09-21 7:57:00 am +1000`, a 12-hour clock with any space before `am` or `pm` (Apple writes
  U+202F), becomes `2024-09-21T07:57:00+10:00`.
- With a unit of epoch times, numbers become UTC: `1759276800000` in `ms` is `2025-10-01T00:00:00Z`.
  The digits after the decimal point are exact. A number outside the years 1 to 9999 is not changed.
- With a duration, a sample without an end gets an end, so long after its start.
- Timestamps of columnar files are written in the zone that the column names, with every digit of
  the fraction.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.samples import times
from uptake.time_units import SECONDS_PER_DAY, TICKS_PER_SECOND
from uptake.uploader.sources import TIME_UNITS, Unreadable

EXACT_BITS = {16: 11, 32: 24, 64: 53}
"""Bits of a floating-point number's type, and of the whole numbers that are all exact in it."""

_SPACED = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)"
    r" ([+-][0-9]{2}):?([0-9]{2})$"
)
_HALF_DAYS = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T\s]\s*(1[0-2]|0?[1-9]):([0-9]{2})(?::([0-9]{2}))?"
    r"\s?([AaPp])\.?[Mm]\.?(?:\s?(Z|[+-][0-9]{2}:?[0-9]{2}))?"
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _END = -62_135_596_800, 253_402_300_800
"""Seconds since the epoch of the years 1 and 10000."""

_SECOND_DIGITS = len("2024-03-05T07:08:09")
_UTC = ("UTC", "Z")
_BILLION = 10**9


def id_of(value: str | int | float, bits: int = 64) -> str:  # noqa: PYI041 - as values come
    """A value as a user id.

    Args:
        value: as the file has it.
        bits: of the floating-point type that it had in the file.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(f"the user_id {value!r} is neither text nor a whole number")
    exact = EXACT_BITS[bits]
    if isinstance(value, float) and abs(value) >= 1 << exact:
        raise ValueError(
            f"the user_id {value!r} is a floating-point number of 2^{exact} or more,"
            " which is not exact: store ids as text or as integers"
        )
    return str(int(value))


NO_USER = "lacks user_id; name a default user with --user"


def user_of(value: Any, default: str | None, file: str, line: int) -> str | Unreadable:
    """The user id of a row, or the default where the row has none."""
    if value is None or value == "":
        return Unreadable(file, line, NO_USER) if default is None else default
    try:
        return id_of(value)
    except ValueError as error:
        return Unreadable(file, line, str(error))


def iso_times(column: pa.Array, time_unit: str | None = None) -> pa.Array:
    """A column of times, those of the forms above as ISO 8601."""
    if time_unit is not None:
        return _changed(column, lambda text: _of_epoch(text, time_unit) or _half_days(text))
    if not len(column) or _is_plain(column):
        return column
    spaced = pc.replace_substring_regex(column, _SPACED, r"\1T\2\3:\4")
    if pc.any(pc.match_substring_regex(spaced, "(?i)[ap][.]?m[.]?")).as_py():
        return _changed(spaced, _half_days)
    return spaced


def _is_plain(column: pa.Array) -> bool:
    """Whether there is neither a space nor an `m` in any: much faster than regular expressions."""
    data = column.buffers()[2]
    if data is None:
        return True
    text = memoryview(data).tobytes()
    return b" " not in text and b"m" not in text and b"M" not in text


def _changed(column: pa.Array, change: Callable[[str], str | None]) -> pa.Array:
    texts: Sequence[str | None] = column.to_pylist()
    return pa.array([text if text is None else change(text) or text for text in texts], pa.string())


def _half_days(text: str) -> str | None:
    match = _HALF_DAYS.fullmatch(text.strip())
    if match is None:
        return None
    day, hour, minute, second, half, zone = match.groups("")
    hours = int(hour) % 12 + (12 if half in "Pp" else 0)
    if zone not in {"", "Z"}:
        zone = f"{zone[:3]}:{zone[-2:]}"
    return f"{day}T{hours:02d}:{minute}:{second or '00'}{zone}"


def _of_epoch(text: str, time_unit: str) -> str | None:
    if _NUMBER.fullmatch(text.strip()) is None:
        return None
    number = Decimal(text.strip()).scaleb(-TIME_UNITS[time_unit])
    if not _FIRST <= number < _END:
        return None
    seconds = math.floor(number)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    fraction = f"{(number - seconds).normalize():f}".removeprefix("0")
    return f"{moment}{fraction}Z"


def with_ends(starts: pa.Array, ends: pa.Array, duration: int | None) -> pa.Array:
    """Ends, those that are missing made from the starts and a duration in seconds."""
    if duration is None or not ends.null_count:
        return ends
    filled: list[str | None] = ends.to_pylist()
    for place, start in enumerate(starts.to_pylist()):
        if filled[place] is None and start is not None:
            filled[place] = _later(start, duration)
    return pa.array(filled, pa.string())


def _later(start: str, seconds: int) -> str | None:
    try:
        ticks, form = times.read(start)
        return times.format_time(ticks + seconds * TICKS_PER_SECOND, form)
    except (ValueError, OverflowError):
        return None  # the receiver rejects the start


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
    ticks = 10 ** TIME_UNITS[kind.unit]
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
    minute = 60 * 10 ** TIME_UNITS[unit]
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
    places = TIME_UNITS[unit]
    for digits in range(places - 3, -1, -3):
        whole = pa.array(clock % 10 ** (places - digits) == 0)
        end = _SECOND_DIGITS + (digits and digits + 1)
        texts = pc.if_else(whole, pc.utf8_slice_codeunits(texts, 0, end), texts)
    return texts

"""Reads ISO 8601 timestamps into exact instants, and formats them in their original form.

An instant is a number of ticks of 100 ns since 1970-01-01T00:00:00Z: the ISO years 0001 to 9999 fit
an int64, and seven fraction digits, the most that common serialisers write, are exact. Further
digits are cut off.

The format of a time (its offset and its number of fraction digits) is a small integer, with which
`format_time` writes the time as it was sent.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from uptake.time_units import SECONDS_PER_DAY, TICKS_PER_MINUTE, TICKS_PER_SECOND

FRACTION_DIGITS = 7
MAX_DAYS = 4096
"""Cached days: more than ten years."""

VECTOR_FROM = 24
"""Number of texts from which reading them as an array is faster (measured)."""

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]
Chars = NDArray[np.uint8]

_EXTENDED = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_BASIC = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})"
    r"(?:[Tt]([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - arithmetic is on local clock readings
_NO_ZONE = 0
_ZONE_BIAS = 1500
_ZONE_SHIFT = 3
_WEIGHTS = [10 ** (FRACTION_DIGITS - digits) for digits in range(FRACTION_DIGITS + 1)]
"""Ticks of the last fraction digit, by the number of digits."""


def _pack_format(minutes: int | None, digits: int) -> int:
    zone = _NO_ZONE if minutes is None else minutes + _ZONE_BIAS
    return zone << _ZONE_SHIFT | digits


def unpack_format(form: Int64s) -> tuple[NDArray[np.bool_], Int64s, Int64s]:
    """Whether formats have an offset, its minutes east of UTC, and their fraction digits."""
    zone = form >> _ZONE_SHIFT
    zoned = zone != _NO_ZONE
    return zoned, np.where(zoned, zone - _ZONE_BIAS, 0), form & (1 << _ZONE_SHIFT) - 1


def read(text: str) -> tuple[int, int]:
    """Reads a timestamp.

    Accepts calendar dates with or without a time, extended or basic, separated by `T` or a space,
    with an offset of hours and minutes or `Z`; without an offset, the time is UTC (ISO 8601-1:2019,
    RFC 3339).

    Returns:
        The instant in ticks, and its format.

    Raises:
        ValueError: the text is not such a timestamp, or its day or time does not exist.
    """
    match = _EXTENDED.fullmatch(text) or _BASIC.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 timestamp")
    year, month, day, hours, minutes, seconds, fraction, zone = match.groups("")
    hour, minute, second = int(hours or 0), int(minutes or 0), int(seconds or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no such time of day")
    digits = fraction[:FRACTION_DIGITS]
    offset, form = _offset(zone)
    since = _day(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset * 60
    ticks = int(digits) * _WEIGHTS[len(digits)] if digits else 0
    return since * TICKS_PER_SECOND + ticks, form | len(digits)


# Few days and offsets occur, many times each.
@lru_cache(MAX_DAYS)
def _day(year: str, month: str, day: str) -> int:
    """Days since the epoch."""
    return date(int(year), int(month), int(day)).toordinal() - _EPOCH.toordinal()


@lru_cache
def _offset(zone: str) -> tuple[int, int]:
    """Minutes east of UTC, and the format of a time with this offset and without a fraction."""
    if zone in {"", "Z", "z"}:
        return 0, _pack_format(None, 0)
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    east = (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)
    return east, _pack_format(east, 0)


def format_time(ticks: int, form: int) -> str:
    """Formats an instant with the offset and the number of fraction digits of its format."""
    digits = form & (1 << _ZONE_SHIFT) - 1
    zone = form >> _ZONE_SHIFT
    minutes = 0 if zone == _NO_ZONE else zone - _ZONE_BIAS
    seconds, rest = divmod(ticks + minutes * TICKS_PER_MINUTE, TICKS_PER_SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    if digits:
        text += f".{rest:0{FRACTION_DIGITS}d}"[: digits + 1]
    if zone == _NO_ZONE:
        return text + "Z"
    sign, size = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{text}{sign}{size // 60:02d}:{size % 60:02d}"


def has_offset(form: int) -> bool:
    """Whether a format has an offset of hours and minutes."""
    return form >> _ZONE_SHIFT != _NO_ZONE


def read_zoned(text: str) -> tuple[int, bool]:
    """Reads a timestamp; returns the instant in ticks, and whether it has an offset or `Z`.

    Raises:
        ValueError: as `read`.
    """
    ticks, form = read(text)
    return ticks, has_offset(form) or text[-1] in "Zz"


def offset_of(form: Int64s) -> Int64s:
    """The offsets of formats in ticks east of UTC; 0 for those without one."""
    zone = form >> _ZONE_SHIFT
    return np.where(zone == _NO_ZONE, 0, zone - _ZONE_BIAS) * TICKS_PER_MINUTE


def read_all(texts: Sequence[str]) -> tuple[Int64s, Int64s]:
    """Reads many timestamps; returns the results of `read` as two arrays.

    Raises:
        ValueError: a text is not a timestamp.
    """
    same_shape = _read_same_shape(texts) if len(texts) >= VECTOR_FROM else None
    if same_shape is not None:
        return same_shape
    widths = set(map(len, texts))
    if len(widths) == 1 or len(texts) < VECTOR_FROM:
        ticks, form = np.array([read(text) for text in texts], np.int64).reshape(-1, 2).T
        return ticks, form
    ticks, form = np.empty((2, len(texts)), np.int64)
    for width in widths:
        places = [i for i, text in enumerate(texts) if len(text) == width]
        ticks[places], form[places] = read_all([texts[i] for i in places])
    return ticks, form


_SHAPE = re.compile(r"....-..-..[T ]..:..:..(?:\.([0-9]{1,7}))?(Z|[+-]..:..)?")
_LOWEST = np.array([0, 0, 1, 1, 0, 0, 0, 0, 0])
_HIGHEST = np.array([99, 99, 12, 31, 23, 59, 59, 23, 59])
_FEBRUARY_DAYS = 28
_EPOCH_MONTH = 1970 * 12
_FRACTION_AT = 20


class _Layout:
    """The positions of the digits in texts of one shape.

    Attributes:
        offset_at: the place of the offset's sign; None without an offset.
        tens: the places of the first digits of the pairs: century, year of the century, month, day,
            hour, minute, second, the offset's hours and minutes.
    """

    def __init__(self, width: int, fraction: int, zone: str) -> None:
        self.fraction = fraction
        self.offset_at = width - 6 if zone not in {"", "Z"} else None
        fixed = [4, 7, 10, 13, 16, width]
        tens = [0, 2, 5, 8, 11, 14, 17]
        signs = []
        if fraction:
            fixed.append(_FRACTION_AT - 1)
        if zone == "Z":
            fixed.append(width - 1)
        if self.offset_at is not None:
            signs = [self.offset_at]
            fixed.append(self.offset_at + 3)
            tens += [self.offset_at + 1, self.offset_at + 4]
        self.fixed = np.array(fixed)
        self.digits = np.delete(np.arange(width + 1), fixed + signs)
        self.tens = np.array(tens)
        self.lowest, self.highest = _LOWEST[: len(tens)], _HIGHEST[: len(tens)]

    def fits(self, chars: Chars, digits: Chars, pairs: Chars) -> bool:
        """Whether all texts have this shape and all pairs of digits are in their ranges."""
        if (digits.max(axis=1)[self.digits] > 9).any():
            return False
        if (chars.min(axis=1) != chars.max(axis=1))[self.fixed].any():
            return False
        if self.offset_at is not None:
            signs = chars[self.offset_at]
            if not ((signs == ord("+")) | (signs == ord("-"))).all():
                return False
        lowest, highest = pairs.min(axis=1), pairs.max(axis=1)
        return bool((lowest >= self.lowest).all() and (highest <= self.highest).all())


@lru_cache
def _layout(width: int, fraction: int, zone: str) -> _Layout:
    return _Layout(width, fraction, zone)


def _read_same_shape(texts: Sequence[str]) -> tuple[Int64s, Int64s] | None:
    """Reads texts with the shape of the first; None if one has another shape or is invalid."""
    shape = _SHAPE.fullmatch(texts[0])
    # Line ends are in equal distances only if all texts have one width.
    joined = "\n".join(texts) + "\n"
    width = len(texts[0]) + 1
    if shape is None or len(joined) != width * len(texts) or not joined.isascii():
        return None
    texts_of_bytes = np.frombuffer(joined.encode(), np.uint8).reshape(-1, width)
    return _read_shaped(texts_of_bytes, shape)


def read_fixed(texts: Chars) -> tuple[Int64s, Int64s] | None:
    """Reads many timestamps of one width, each a row of bytes.

    Returns:
        The result of `read_all`, or None if they do not have one shape or are invalid.
    """
    shape = _SHAPE.fullmatch(texts[0].tobytes().decode("ascii", "replace"))
    if shape is None:
        return None
    ended = np.empty((len(texts), texts.shape[1] + 1), np.uint8)
    ended[:, :-1] = texts
    ended[:, -1] = ord("\n")
    return _read_shaped(ended, shape)


def _read_shaped(texts: Chars, shape: re.Match[str]) -> tuple[Int64s, Int64s] | None:
    """Reads texts with a line end each; None if one does not have the shape, or is invalid."""
    layout = _layout(texts.shape[1] - 1, len(shape[1] or ""), (shape[2] or "")[:1])
    chars = np.ascontiguousarray(texts.T)
    digits = chars - np.uint8(ord("0"))
    # Bytes and then 32 bits: a batch's arrays of 64 bits are so large that malloc maps new pages.
    pairs = digits[layout.tens] * np.uint8(10) + digits[layout.tens + 1]
    if not layout.fits(chars, digits, pairs):
        return None
    century, year, month, day, hour, minute, second, *offset = pairs.astype(np.int32)
    days = _days(century * 100 + year, month, day)
    if days is None:
        return None
    seconds = (hour * 60 + minute) * 60 + second
    form: int | Int32s = _pack_format(None, layout.fraction)
    if layout.offset_at is not None:
        east = offset[0] * 60 + offset[1]
        east = np.where(chars[layout.offset_at] == ord("-"), -east, east)
        seconds -= east * 60
        form = (east + _ZONE_BIAS) << _ZONE_SHIFT | layout.fraction
    ticks = (days * SECONDS_PER_DAY + seconds) * TICKS_PER_SECOND
    for place, weight in enumerate(_WEIGHTS[1 : layout.fraction + 1], _FRACTION_AT):
        ticks += digits[place] * np.int32(weight)
    return ticks, np.full(len(texts), form, np.int64)


def _days(year: Int32s, month: Int32s, day: Int32s) -> Int64s | None:
    """Days since the epoch; None if a year is 0 or a month does not have one of the days."""
    if not year.all():
        return None
    months = year * 12 + (month - 1) - _EPOCH_MONTH
    first = _first_days(months)
    if day.max() > _FEBRUARY_DAYS and (first + day > _first_days(months + 1)).any():
        return None
    return first + (day - 1)


def _first_days(months: Int32s) -> Int64s:
    return months.astype(np.int64).view("M8[M]").astype("M8[D]").astype(np.int64)

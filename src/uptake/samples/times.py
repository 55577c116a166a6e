"""ISO 8601 timestamps to exact instants and back, with the offset in which they were told.

An instant is a count of ticks of 100 ns since 1970-01-01T00:00:00Z: the whole range of ISO years
0001 to 9999 fits an int64, and the seven fraction digits of the most talkative common
serialisers are exact. Digits beyond the seventh are cut off.

How a time was told (its offset and its number of fraction digits) is one small integer beside it,
so that `tell` writes it again as it came.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

TICKS = 10_000_000
"""Ticks in a second."""

FRACTION_DIGITS = 7
VECTOR_FROM = 24
"""From how many texts on the vectorised reading is faster than one text at a time (measured)."""

Int64s = NDArray[np.int64]

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
_MINUTE = 60 * TICKS
_NO_ZONE = 0
_ZONE_BIAS = 1500
_ZONE_SHIFT = 3


def _told(minutes: int | None, digits: int) -> int:
    zone = _NO_ZONE if minutes is None else minutes + _ZONE_BIAS
    return zone << _ZONE_SHIFT | digits


def read(text: str) -> tuple[int, int]:
    """Read one timestamp.

    Accepted are calendar dates with or without a time, extended or basic, `T` or a space between,
    and an offset of hours and minutes or `Z`; without an offset it is UTC (ISO 8601-1:2019,
    RFC 3339).

    Returns:
        The instant in ticks, and how it was told.

    Raises:
        ValueError: it is not such a timestamp, or names a day or time that does not exist.
    """
    match = _EXTENDED.fullmatch(text) or _BASIC.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 timestamp")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    local = datetime(  # noqa: DTZ001 - the offset is applied below, exactly
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
    )
    digits = (fraction or "")[:FRACTION_DIGITS]
    minutes = _offset(zone)
    since = local - _EPOCH
    ticks = (since.days * 86400 + since.seconds) * TICKS + int(digits.ljust(FRACTION_DIGITS, "0"))
    return ticks - (minutes or 0) * _MINUTE, _told(minutes, len(digits))


def _offset(zone: str | None) -> int | None:
    """Minutes east of UTC; None for `Z` and for no offset at all."""
    if zone is None or zone in "Zz":
        return None
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


def tell(ticks: int, told: int) -> str:
    """Write an instant as it was told: same offset, same number of fraction digits."""
    digits = told & (1 << _ZONE_SHIFT) - 1
    zone = told >> _ZONE_SHIFT
    minutes = 0 if zone == _NO_ZONE else zone - _ZONE_BIAS
    seconds, rest = divmod(ticks + minutes * _MINUTE, TICKS)
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    if digits:
        text += f".{rest:0{FRACTION_DIGITS}d}"[: digits + 1]
    if zone == _NO_ZONE:
        return text + "Z"
    sign, size = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{text}{sign}{size // 60:02d}:{size % 60:02d}"


def read_all(texts: Sequence[str]) -> tuple[Int64s, Int64s]:
    """Read many timestamps at once; the same results as `read`, as two arrays.

    Raises:
        ValueError: at least one is not a timestamp.
    """
    widths = set(map(len, texts))
    if len(widths) == 1:
        return _read_one_width(texts)
    ticks, told = np.empty((2, len(texts)), np.int64)
    for width in widths:
        places = [i for i, text in enumerate(texts) if len(text) == width]
        ticks[places], told[places] = _read_one_width([texts[i] for i in places])
    return ticks, told


def _read_one_width(texts: Sequence[str]) -> tuple[Int64s, Int64s]:
    alike = _read_alike(texts) if len(texts) >= VECTOR_FROM else None
    if alike is not None:
        return alike
    ticks, told = np.array([read(text) for text in texts], np.int64).T
    return ticks, told


_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_SHAPE = re.compile(r"....-..-..[T ]..:..:..(?:\.([0-9]{1,7}))?(Z|[+-]..:..)?")


def _read_alike(texts: Sequence[str]) -> tuple[Int64s, Int64s] | None:
    """Read texts of one width that all have the shape of the first; None when they do not."""
    shape = _SHAPE.fullmatch(texts[0])
    joined = "".join(texts)
    if shape is None or not joined.isascii():
        return None
    width = len(texts[0])
    digits = len(shape[1] or "")
    offset_at = width - 6 if shape[2] and shape[2] != "Z" else None
    chars = np.ascontiguousarray(np.frombuffer(joined.encode(), np.uint8).reshape(-1, width).T)
    fixed = [4, 7, 10, 13, 16, *([19] if digits else [])]
    if offset_at is not None:
        fixed.append(offset_at + 3)
    elif shape[2]:
        fixed.append(width - 1)
    signs = [] if offset_at is None else [offset_at]
    numbers = np.delete(np.arange(width), fixed + signs)
    values = chars.astype(np.int32) - ord("0")
    if (chars[fixed] != chars[fixed, :1]).any() or (values[numbers].view(np.uint32) > 9).any():
        return None
    seconds = _seconds(values)
    if seconds is None:
        return None
    ticks = seconds * TICKS
    if digits:
        fraction = _number(values, 20, digits)
        ticks += fraction * np.int64(10 ** (FRACTION_DIGITS - digits))
    if offset_at is None:
        return ticks, np.full(len(texts), _told(None, digits))
    minutes = _offsets(chars[offset_at], values[offset_at + 1 :])
    if minutes is None:
        return None
    told = (minutes + _ZONE_BIAS) << _ZONE_SHIFT | digits
    return ticks - minutes * _MINUTE, told


def _number(values: NDArray[np.int32], place: int, digits: int) -> NDArray[np.int32]:
    number: NDArray[np.int32] = values[place]
    for digit in values[place + 1 : place + digits]:
        number = number * 10 + digit
    return number


def _seconds(values: NDArray[np.int32]) -> Int64s | None:
    """Local seconds since the epoch; None when one of the times does not exist."""
    year = _number(values, 0, 4)
    month, day = _number(values, 5, 2), _number(values, 8, 2)
    hour, minute, second = (_number(values, place, 2) for place in (11, 14, 17))
    if (year < 1).any() or (month < 1).any() or (month > 12).any() or (day < 1).any():
        return None
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0)) & (month == 2)
    if (day > _MONTH_DAYS[month] + leap).any():
        return None
    if (hour > 23).any() or (minute > 59).any() or (second > 59).any():
        return None
    # Days from a calendar that starts on 1 March, so that the leap day comes last in its year.
    march = (month + 9) % 12
    years = year - (month < 3)
    days = 365 * years + years // 4 - years // 100 + years // 400 + (march * 306 + 5) // 10 + day
    return (days - _DAYS_TO_EPOCH).astype(np.int64) * 86400 + hour * 3600 + minute * 60 + second


_DAYS_TO_EPOCH = 719469


def _offsets(signs: NDArray[np.uint8], values: NDArray[np.int32]) -> Int64s | None:
    hours, minutes = _number(values, 0, 2), _number(values, 3, 2)
    minus = signs == ord("-")
    if ((signs != ord("+")) & ~minus).any() or (hours > 23).any() or (minutes > 59).any():
        return None
    size = (hours * 60 + minutes).astype(np.int64)
    return np.where(minus, -size, size)

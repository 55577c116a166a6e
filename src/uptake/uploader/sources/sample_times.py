"""Times of files as ISO 8601; the receiver validates any other text.

What is converted:

- `2019-05-14 18:52:09 -0400`, with a space before the offset, becomes `2019-05-14T18:52:09-04:00`.
- `2024-09-21 7:57:00 am +1000`, a 12-hour clock with any space before `am` or `pm` (Apple writes
  U+202F), becomes `2024-09-21T07:57:00+10:00`.
- With a unit of epoch times, numbers become UTC: `1759276800000` in `ms` is `2025-10-01T00:00:00Z`.
  The digits after the decimal point are exact. A number outside the years 1 to 9999 is not changed.
- With a duration, a sample without an end gets an end, so long after its start.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from uptake.samples import times
from uptake.time_units import TICKS_PER_SECOND
from uptake.uploader.sources.options import TIME_UNITS

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

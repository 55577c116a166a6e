"""Formats arrays of instants, each in its original format."""

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uptake.samples.times import FRACTION_DIGITS, Int64s, unpack_format
from uptake.time_units import SECONDS_PER_DAY, TICKS_PER_DAY, TICKS_PER_MINUTE, TICKS_PER_SECOND

_MAX_MINUTES = 24 * 60 - 1
"""The largest offset (`times.read`)."""

Chars = NDArray[np.uint8]
Texts = tuple[Chars, Int64s]
"""Concatenated ASCII texts, and the begin of each, followed by the end of the last."""


def format_times(ticks: Int64s, formats: Int64s) -> Texts:
    """Returns instants as text, each as `times.format_time` formats it.

    Fastest for sorted instants of one format.
    """
    if not len(ticks):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    zoned, minutes, digits = unpack_format(formats)
    shape = digits << 1 | zoned
    first = int(shape[0])
    if (shape == first).all():
        chars = _format_same_shape(ticks, minutes, first >> 1, zoned=bool(first & 1))
        return chars.ravel(), np.arange(len(ticks) + 1) * chars.shape[1]
    return _mixed(ticks, minutes, shape)


def time_texts(ticks: Int64s, formats: Int64s) -> list[str]:
    """Returns instants as text, each as `times.format_time` formats it."""
    chars, begins = format_times(ticks, formats)
    text = chars.tobytes().decode("ascii")
    return [text[begin:end] for begin, end in pairwise(begins.tolist())]


def _mixed(ticks: Int64s, minutes: Int64s, shape: Int64s) -> Texts:
    parts = []
    widths = np.empty(len(ticks), np.int64)
    for one in np.unique(shape).tolist():
        places = np.flatnonzero(shape == one)
        chars = _format_same_shape(ticks[places], minutes[places], one >> 1, zoned=bool(one & 1))
        widths[places] = chars.shape[1]
        parts.append((places, chars))
    begins = np.concatenate([[0], np.cumsum(widths)])
    whole = np.empty(begins[-1], np.uint8)
    for places, chars in parts:
        whole[begins[places, np.newaxis] + np.arange(chars.shape[1])] = chars
    return whole, begins


def _format_same_shape(ticks: Int64s, minutes: Int64s, digits: int, *, zoned: bool) -> Chars:
    """One row for each text; all have this number of digits, and an offset or `Z`."""
    local = ticks + minutes * TICKS_PER_MINUTE if zoned else ticks
    days = local // TICKS_PER_DAY
    rest = local - days * TICKS_PER_DAY
    seconds = rest // TICKS_PER_SECOND
    fields = [("date", "S10"), ("time", "S9")]
    if digits:
        fields.append(("fraction", f"S{digits + 1}"))
    out = np.empty(len(ticks), [*fields, ("zone", "S6" if zoned else "S1")])
    out["date"] = _dates(days)
    out["time"] = _times().take(seconds)
    out["zone"] = _zones().take(minutes + _MAX_MINUTES) if zoned else b"Z"
    chars = out.view(np.uint8).reshape(len(ticks), -1)
    if digits:
        chars[:, 19] = ord(".")
        fraction = (rest - seconds * TICKS_PER_SECOND) // 10 ** (FRACTION_DIGITS - digits)
        for place in range(19 + digits, 19, -1):
            tens = fraction // 10
            chars[:, place] = fraction - tens * 10 + ord("0")
            fraction = tens
    return chars


def _dates(days: Int64s) -> NDArray[Any]:
    """Calendar dates; each run of equal days is formatted once."""
    begins = np.flatnonzero(np.concatenate([[True], days[1:] != days[:-1]]))
    texts = np.datetime_as_string(days[begins].astype("M8[D]")).astype("S10")
    return np.repeat(texts, np.diff(np.append(begins, len(days))))


@lru_cache
def _times() -> NDArray[Any]:
    """The texts of all seconds of a day, like `T23:59:59`."""
    midnight = np.arange(SECONDS_PER_DAY).astype("M8[s]")
    return np.array([text[10:] for text in np.datetime_as_string(midnight).tolist()], "S9")


@lru_cache
def _zones() -> NDArray[Any]:
    """The texts of all offsets, from `-23:59` to `+23:59`."""
    return np.array(
        [
            f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
            for minutes in range(-_MAX_MINUTES, _MAX_MINUTES + 1)
        ],
        "S6",
    )

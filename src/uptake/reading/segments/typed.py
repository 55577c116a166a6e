"""Texts read as numbers or dates, many at once."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.times import Int64s

NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""As JSON writes a number (RFC 8259, section 6): what a sender's number is kept as."""

DATE = r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}"
"""How what `times.read` takes begins."""

NO_DATE = np.iinfo(np.int64).min
"""In the place of an instant where a text is none."""

ONE_BY_ONE = 16
"""Of so few texts each is read by itself, once it is known that one of them is no date."""

_DAY, _MIDNIGHT = len("2000-01-01"), "T00:00:00Z"

Numbers = NDArray[np.float64]
Dates = Int64s


def numbers(texts: Any) -> Numbers:
    """Numbers in doubles; NaN for a text that is none, or none that a double can hold."""
    found = np.full(len(texts), np.nan)
    like = np.asarray(pc.match_substring_regex(texts, NUMBER))
    read = pc.cast(texts.filter(pa.array(like)), pa.float64()).to_numpy()
    found[like] = np.where(np.isfinite(read), read, np.nan)
    return found


def dates(texts: Any) -> Dates:
    """Instants in ticks; `NO_DATE` for a text that is no ISO 8601 date or time."""
    found = np.full(len(texts), NO_DATE, np.int64)
    like = np.flatnonzero(np.asarray(pc.match_substring_regex(texts, DATE)))
    # A day is read as its midnight, whose shape is one of those that are read many at a time.
    listed = [
        text + _MIDNIGHT if len(text) == _DAY and text[4] == "-" else text
        for text in texts.take(pa.array(like)).to_pylist()
    ]
    order = sorted(range(len(listed)), key=lambda at: len(listed[at]))
    _read(listed, np.array(order, np.intp), like, found)
    return found


def _read(texts: list[str], places: NDArray[np.intp], like: NDArray[np.intp], found: Dates) -> None:
    """Read the texts at some places, halving them until those that are no dates stand alone."""
    if not len(places):
        return
    if len(places) > ONE_BY_ONE:
        try:
            found[like[places]] = times.read_all([texts[at] for at in places])[0]
        except ValueError:
            middle = len(places) // 2
            _read(texts, places[:middle], like, found)
            _read(texts, places[middle:], like, found)
        return
    for at in places:
        try:
            found[like[at]] = times.read(texts[at])[0]
        except ValueError:
            continue

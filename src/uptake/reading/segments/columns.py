"""One attribute of many users as a column: its distinct values, and a code for each user.

Values are Arrow strings. Where nearly all values differ there are no codes. Users without the
attribute are not in the column.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.times import Int64s

MAX_DISTINCT = 0.5
"""A column with a larger share of distinct values has no codes, which would not save memory."""

SAMPLED = 1 << 16
"""Values from which that share is estimated."""

NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""A JSON number (RFC 8259, section 6), which is how numbers in uploads are stored."""

DATE = r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}"
"""How the text of a date or time begins; see `times.read`."""

NO_DATE = np.iinfo(np.int64).min
"""The instant of a text that is not a date."""

ONE_BY_ONE = 16
"""So few texts are parsed one by one, once one of them is known to be invalid."""

_DAY, _MIDNIGHT = len("2000-01-01"), "T00:00:00Z"

Flags = NDArray[np.bool_]
Rows = NDArray[np.int32]
Amounts = NDArray[np.float64]
Texts = Any
"""A `pyarrow.LargeStringArray`: the texts of a column may have more than 2 GiB."""

Codes = NDArray[np.integer[Any]]
"""As small as the number of distinct values allows."""

Piece = tuple[Rows, Texts]
"""Ascending rows, and the value of each."""


class Column:
    """An attribute of users, who are identified by their rows.

    Attributes:
        values: the distinct values; without `codes`, the value of each row.
        codes: for each row, the index of its value in `values`.
        rows: the rows that have a value, ascending; None if all have one.
    """

    def __init__(self, values: Texts, codes: Codes | None, rows: Rows | None) -> None:
        self.values = values
        self.codes = codes
        self.rows = rows
        self._numbers: Amounts | None = None
        self._dates: Int64s | None = None

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        arrays = [
            one for one in (self.codes, self.rows, self._numbers, self._dates) if one is not None
        ]
        return int(self.values.nbytes) + sum(one.nbytes for one in arrays)

    def numbers(self) -> Amounts:
        """Return `values` as numbers; NaN for text that is not a number."""
        if self._numbers is None:
            self._numbers = numbers(self.values)
        return self._numbers

    def dates(self) -> Int64s:
        """Return `values` as instants in ticks; `NO_DATE` for text that is not a date."""
        if self._dates is None:
            self._dates = dates(self.values)
        return self._dates

    def mask(self, hits: Flags | None, rows: int) -> Flags:
        """Return which rows have one of the matching values.

        Args:
            hits: which of `values` match; None for all of them.
            rows: the number of rows, with a value or without.
        """
        if hits is not None and self.codes is not None:
            hits = hits[self.codes]
        if self.rows is None:
            return np.ones(rows, np.bool_) if hits is None else hits
        found = np.zeros(rows, np.bool_)
        found[self.rows if hits is None else self.rows[hits]] = True
        return found

    def at(self, rows: Rows) -> list[str | None]:
        """Return the value of each of these rows; None where there is none."""
        indexes: Codes = rows
        present = np.ones(len(rows), np.bool_)
        if self.rows is not None:
            indexes = np.searchsorted(self.rows, rows).astype(np.int32)
            indexes[indexes == len(self.rows)] = 0
            present = self.rows[indexes] == rows
        if self.codes is not None:
            indexes = self.codes[indexes]
        values: list[str | None] = self.values.take(pa.array(indexes, mask=~present)).to_pylist()
        return values

    def piece(self, selected: Flags, renumbered: Rows) -> Piece:
        """Return the values of the selected rows, with the rows' new numbers."""
        which = np.flatnonzero(selected if self.rows is None else selected[self.rows])
        rows = renumbered[which if self.rows is None else self.rows[which]]
        indexes: Codes = which if self.codes is None else self.codes[which]
        return rows, self.values.take(pa.array(indexes))


def column(pieces: Sequence[Piece], rows: int) -> Column:
    """Build a column from values that were read in pieces, no row in more than one of them.

    Args:
        pieces: at least one, in ascending order of rows.
        rows: the number of rows, with a value or without.
    """
    texts = pa.chunked_array([texts for _, texts in pieces])
    present = None if len(texts) == rows else np.concatenate([some for some, _ in pieces])
    first = texts.slice(0, SAMPLED)
    if len(first) > 1 and pc.count_distinct(first).as_py() > MAX_DISTINCT * len(first):
        return Column(combined(texts), None, present)
    encoded = combined(texts.dictionary_encode())
    codes = encoded.indices.to_numpy().astype(np.min_scalar_type(len(encoded.dictionary)))
    return Column(encoded.dictionary, codes, present)


def combined(chunks: pa.ChunkedArray) -> pa.Array:
    """Return the chunks as one array."""
    whole = chunks.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def numbers(texts: Texts) -> Amounts:
    """Parse texts as doubles; NaN for a text that is not a number or is out of range."""
    found = np.full(len(texts), np.nan)
    like = np.asarray(pc.match_substring_regex(texts, NUMBER))
    read = pc.cast(texts.filter(pa.array(like)), pa.float64()).to_numpy()
    found[like] = np.where(np.isfinite(read), read, np.nan)
    return found


def dates(texts: Texts) -> Int64s:
    """Parse texts as instants in ticks; `NO_DATE` for a text that is not ISO 8601."""
    found = np.full(len(texts), NO_DATE, np.int64)
    like = np.flatnonzero(np.asarray(pc.match_substring_regex(texts, DATE)))
    # A date is parsed as its midnight, in a shape of which many can be parsed at once.
    listed = [
        text + _MIDNIGHT if len(text) == _DAY and text[4] == "-" else text
        for text in texts.take(pa.array(like)).to_pylist()
    ]
    order = sorted(range(len(listed)), key=lambda at: len(listed[at]))
    _parse_dates(listed, np.array(order, np.intp), like, found)
    return found


def _parse_dates(
    texts: list[str], indexes: NDArray[np.intp], like: NDArray[np.intp], found: Int64s
) -> None:
    """Parse the texts at these indexes together, or in halves if one of them is invalid."""
    if len(indexes) > ONE_BY_ONE:
        try:
            found[like[indexes]] = times.read_all([texts[at] for at in indexes])[0]
        except ValueError:
            middle = len(indexes) // 2
            _parse_dates(texts, indexes[:middle], like, found)
            _parse_dates(texts, indexes[middle:], like, found)
        return
    for at in indexes:
        try:
            found[like[at]] = times.read(texts[at])[0]
        except ValueError:
            continue

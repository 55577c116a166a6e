"""One attribute of many users as a column: its different values once, and who has which.

The values are kept as Arrow keeps texts, a user's as a small number; where nearly all differ, there
are no numbers. Users without the attribute are not in the column at all.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.reading.segments.typed import Dates, Numbers, dates, numbers

DIFFERENT = 0.5
"""The part of values that differ from which on numbers for them save nothing."""

LOOKED_AT = 1 << 16
"""Values from which that part is guessed."""

Flags = NDArray[np.bool_]
Rows = NDArray[np.int32]
Texts = Any
"""A `pyarrow.LargeStringArray`, as the texts of a column may have more than 2 GiB."""

Piece = tuple[Rows, Texts]
"""Rows in rising order, and the value of each."""


class Column:
    """An attribute of users that are known by their rows.

    Attributes:
        values: different values; or, without `codes`, the value of each row.
        codes: for each row the place of its value in `values`.
        rows: whose values these are, in rising order; None when all rows have one.
    """

    def __init__(self, values: Texts, codes: Rows | None, rows: Rows | None) -> None:
        self.values = values
        self.codes = codes
        self.rows = rows
        self._numbers: Numbers | None = None
        self._dates: Dates | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        arrays = [
            one for one in (self.codes, self.rows, self._numbers, self._dates) if one is not None
        ]
        return int(self.values.nbytes) + sum(one.nbytes for one in arrays)

    def numbers(self) -> Numbers:
        """What `values` are as numbers; NaN where one is none."""
        if self._numbers is None:
            self._numbers = numbers(self.values)
        return self._numbers

    def dates(self) -> Dates:
        """What `values` are as instants in ticks; `NO_DATE` where one is none."""
        if self._dates is None:
            self._dates = dates(self.values)
        return self._dates

    def mask(self, hits: Flags | None, rows: int) -> Flags:
        """Of all rows those whose value is among the hits; those that have one, for None.

        Args:
            hits: for each of `values`.
            rows: how many rows there are.
        """
        if hits is not None and self.codes is not None:
            hits = hits[self.codes]
        if self.rows is None:
            return np.ones(rows, np.bool_) if hits is None else hits
        found = np.zeros(rows, np.bool_)
        found[self.rows if hits is None else self.rows[hits]] = True
        return found

    def at(self, rows: Rows) -> list[str | None]:
        """The value of each of these rows, None where there is none."""
        places, there = rows, np.ones(len(rows), np.bool_)
        if self.rows is not None:
            places = np.searchsorted(self.rows, rows).astype(np.int32)
            places[places == len(self.rows)] = 0
            there = self.rows[places] == rows
        if self.codes is not None:
            places = self.codes[places]
        values: list[str | None] = self.values.take(pa.array(places, mask=~there)).to_pylist()
        return values

    def piece(self, kept: Flags, moved: Rows) -> Piece:
        """The values of the rows that are kept, under the numbers to which these move."""
        which = np.flatnonzero(kept if self.rows is None else kept[self.rows])
        rows = moved[which if self.rows is None else self.rows[which]]
        places = which if self.codes is None else self.codes[which]
        return rows, self.values.take(pa.array(places))


def column(pieces: Sequence[Piece], rows: int) -> Column:
    """The column of values that were read piece by piece, no row in more than one of them.

    Args:
        pieces: in rising order of rows; at least one.
        rows: how many rows there are, with a value or without.
    """
    texts = pa.chunked_array([texts for _, texts in pieces])
    told = None if len(texts) == rows else np.concatenate([some for some, _ in pieces])
    if _differ(texts):
        return Column(combined(texts), None, told)
    encoded = combined(texts.dictionary_encode())
    return Column(encoded.dictionary, encoded.indices.to_numpy(), told)


def combined(chunks: pa.ChunkedArray) -> pa.Array:
    """The chunks as one array."""
    whole = chunks.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _differ(texts: pa.ChunkedArray) -> bool:
    some = texts.slice(0, LOOKED_AT)
    return len(some) > 1 and pc.count_distinct(some).as_py() > DIFFERENT * len(some)

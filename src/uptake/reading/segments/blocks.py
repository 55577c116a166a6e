"""Users in columns, as many as make a block: built once, and never changed."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.reading.segments.columns import Column, Flags, Piece, Rows, Texts, column, combined
from uptake.samples.times import Int64s
from uptake.store.stored import Profiles

LOOK_UP = 400
"""Looking up one id takes as long as going through so many, to see which of them are wanted."""

QUESTIONS = 8
"""To which the amounts are kept with a block: the latest."""

_QUOTE, _BACKSLASH = ord('"'), b"\\"
_SHORT = 16
"""Hexadecimal digits of a hash by which users are looked up; the rest is compared then."""

_OBJECTS = msgspec.json.Decoder(list[dict[str, str]])
_ARRAYS = msgspec.json.Decoder(list[list[str]])


class WorkedOut:
    """An amount for each row of a block, as far as it is known.

    Attributes:
        values: NaN where there is no amount.
        known: of which rows that is so or not.
    """

    def __init__(self, rows: int) -> None:
        self.values = np.full(rows, np.nan)
        self.known = np.zeros(rows, np.bool_)

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.values.nbytes + self.known.nbytes

    def set(self, rows: Rows, amount: float) -> None:
        """Know the amount of these rows."""
        self.values[rows] = amount
        self.known[rows] = True


class Block:
    """Some users.

    Attributes:
        ids: of the users, by row.
        first_seen, last_seen: microseconds since the epoch.
        columns: of their attributes, by name.
    """

    def __init__(
        self, ids: Texts, first_seen: Int64s, last_seen: Int64s, columns: dict[str, Column]
    ) -> None:
        self.ids = ids
        self.first_seen = first_seen
        self.last_seen = last_seen
        self.columns = columns
        self._order = _order(ids)
        self._worked_out: dict[Hashable, WorkedOut] = {}
        self._hashes: list[NDArray[np.uint64]] = []

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        own = [self.ids, self.first_seen, self.last_seen, *self._hashes]
        columns = sum(one.size for one in self.columns.values())
        amounts = sum(one.size for one in list(self._worked_out.values()))
        return sum(int(one.nbytes) for one in own) + columns + amounts

    def worked_out(self, question: Hashable) -> WorkedOut:
        """Where what a question comes to for each row is kept; that of old questions goes."""
        found = self._worked_out.get(question)
        if found is None:
            for oldest in list(self._worked_out)[: 1 - QUESTIONS]:
                self._worked_out.pop(oldest, None)
            found = self._worked_out[question] = WorkedOut(len(self))
        return found

    def rows_of(self, user_ids: Sequence[str]) -> Rows:
        """The rows of those of these users that it has."""
        if len(user_ids) * LOOK_UP > len(self):
            hits = pc.is_in(self.ids, value_set=pa.array(user_ids, pa.large_string()))
            return np.flatnonzero(np.asarray(hits)).astype(np.int32)
        found = []
        for user_id in user_ids:
            place = bisect_left(range(len(self)), user_id, key=self._id_in_order)
            if place < len(self) and self._id_in_order(place) == user_id:
                found.append(self._row(place))
        return np.array(found, np.int32)

    def rows_of_hashes(self, hashes: Iterable[str], user_hash: Callable[[str], str]) -> Rows:
        """The rows of users whose ids have these hashes (`ChangeFeed.user_hash`)."""
        wanted = set(hashes)
        if not wanted:
            return np.empty(0, np.int32)
        if not self._hashes:
            listed = [int(user_hash(name)[:_SHORT], 16) for name in self.ids.to_pylist()]
            self._hashes = [np.array(listed, np.uint64)]
        short = np.array([int(one[:_SHORT], 16) for one in wanted], np.uint64)
        rows = np.flatnonzero(np.isin(self._hashes[0], short)).tolist()
        sure = [row for row in rows if user_hash(self.ids[row].as_py()) in wanted]
        return np.array(sure, np.int32)

    def first(self, mask: Flags, after: str, count: int) -> list[tuple[str, int]]:
        """The first so many users of a mask with an id above `after`, each with its row."""
        start = bisect_right(range(len(self)), after, key=self._id_in_order) if after else 0
        places = np.arange(start, len(self), dtype=np.int32)
        rows = places if self._order is None else self._order[start:]
        rows = rows[mask[rows]][:count]
        return list(zip(self.ids.take(pa.array(rows)).to_pylist(), rows.tolist(), strict=True))

    def attributes(self, rows: Sequence[int]) -> list[dict[str, str]]:
        """The attributes of the users of these rows."""
        wanted = np.array(rows, np.int32)
        found: list[dict[str, str]] = [{} for _ in rows]
        for name, one in self.columns.items():
            for user, value in zip(found, one.at(wanted), strict=True):
                if value is not None:
                    user[name] = value
        return found

    def _row(self, place: int) -> int:
        return place if self._order is None else int(self._order[place])

    def _id_in_order(self, place: int) -> str:
        return str(self.ids[self._row(place)].as_py())


def _order(ids: Texts) -> Rows | None:
    """Rows in order of ids; None when they are."""
    if len(ids) < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py():
        return None
    rows: Rows = pc.sort_indices(ids).to_numpy().astype(np.int32)
    return rows


class Builder:
    """Takes users in, and makes a block of them."""

    def __init__(self) -> None:
        self._ids: list[Texts] = []
        self._first_seen: list[Int64s] = []
        self._last_seen: list[Int64s] = []
        self._pieces: dict[str, list[Piece]] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, profiles: Profiles) -> None:
        """Take in users as the store gives them."""
        count = len(profiles.user_ids)
        rows = np.arange(self._rows, self._rows + count, dtype=np.int32)
        if profiles.names is None:
            for name, piece in _told_apart(_OBJECTS.decode(profiles.values), self._rows):
                self._pieces.setdefault(name, []).append(piece)
        else:
            split = _split(profiles.values, len(profiles.names))
            for name, texts in zip(profiles.names, split, strict=True):
                self._pieces.setdefault(name, []).append((rows, texts))
        self._add(
            pa.array(profiles.user_ids, pa.large_string()),
            np.array(profiles.first_seen, np.int64),
            np.array(profiles.last_seen, np.int64),
        )

    def take_over(self, block: Block, kept: Flags) -> None:
        """Take in the users of a block's rows that are to be kept."""
        which = np.flatnonzero(kept)
        moved = np.cumsum(kept, dtype=np.int32) + np.int32(self._rows - 1)
        for name, one in block.columns.items():
            piece = one.piece(kept, moved)
            if len(piece[0]):
                self._pieces.setdefault(name, []).append(piece)
        self._add(block.ids.take(pa.array(which)), block.first_seen[which], block.last_seen[which])

    def _add(self, ids: Texts, first_seen: Int64s, last_seen: Int64s) -> None:
        self._ids.append(ids)
        self._first_seen.append(first_seen)
        self._last_seen.append(last_seen)
        self._rows += len(ids)

    def block(self) -> Block:
        """The users taken in, of whom there is at least one."""
        return Block(
            combined(pa.chunked_array(self._ids)),
            np.concatenate(self._first_seen),
            np.concatenate(self._last_seen),
            {name: column(pieces, self._rows) for name, pieces in self._pieces.items()},
        )


def _told_apart(users: list[dict[str, str]], first: int) -> Iterable[tuple[str, Piece]]:
    """The pieces of users who have each names of their own."""
    found: dict[str, tuple[list[int], list[str]]] = {}
    for row, user in enumerate(users, first):
        for name, value in user.items():
            rows, values = found.setdefault(name, ([], []))
            rows.append(row)
            values.append(value)
    for name, (rows, values) in found.items():
        yield name, (np.array(rows, np.int32), pa.array(values, pa.large_string()))


def _split(values: bytes, names: int) -> list[Texts]:
    """The columns of a JSON array of arrays of so many texts.

    Where no text needed an escape, they are what stands between quotes, without a look at each.
    """
    if not names:
        return []
    if _BACKSLASH in values:
        return [
            pa.array(texts, pa.large_string())
            for texts in zip(*_ARRAYS.decode(values), strict=True)
        ]
    text = np.frombuffer(values, np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    starts, ends = quotes[0::2] + 1, quotes[1::2]
    inside = np.zeros(len(text), np.int8)
    inside[starts] = 1
    inside[ends] -= 1
    kept = text[np.cumsum(inside, dtype=np.int8).view(np.bool_)]
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    buffers = pa.py_buffer(offsets), pa.py_buffer(kept)
    whole = pa.LargeStringArray.from_buffers(len(starts), *buffers)
    return [whole.take(pa.array(np.arange(at, len(starts), names))) for at in range(names)]

"""Blocks of users in columns, which are built once and never changed."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.reading.segments import filters as f
from uptake.reading.segments.columns import Column, Flags, Piece, Rows, Texts, column, combined
from uptake.samples.times import Int64s
from uptake.store.stored import Profiles

LOOKUP_COST = 400
"""A binary search for one id takes as long as testing this many ids for membership in a set."""

MAX_CACHED = 8
"""Statistics that are cached with a block: the latest."""

_QUOTE, _BACKSLASH = ord('"'), b"\\"
_SHORT = 16
"""Hexadecimal digits of a hash that are indexed; candidates are then compared in full."""

_OBJECTS = msgspec.json.Decoder(list[dict[str, str]])
_ARRAYS = msgspec.json.Decoder(list[list[str]])
_MOMENTS = msgspec.json.Decoder(list[int])

Ids = Any
"""A `pyarrow.StringArray`: the ids of a block have less than 2 GiB."""


class CachedStats:
    """A statistic of each row of a block, as far as it has been computed.

    Attributes:
        values: NaN for users without a value.
        known: which rows have been computed.
    """

    def __init__(self, rows: int) -> None:
        self.values = np.full(rows, np.nan)
        self.known = np.zeros(rows, np.bool_)

    @property
    def size(self) -> int:
        """Memory in bytes."""
        return self.values.nbytes + self.known.nbytes

    def set(self, rows: Rows, amount: float) -> None:
        """Store the value of these rows."""
        self.values[rows] = amount
        self.known[rows] = True


class Block:
    """Users in columns.

    Attributes:
        ids: the id of each row.
        seen: microseconds since the epoch, first and last; empty if they were not read.
        columns: the attributes that were read, by name.
    """

    def __init__(self, ids: Ids, seen: dict[f.Which, Int64s], columns: dict[str, Column]) -> None:
        self.ids = ids
        self.seen = seen
        self.columns = columns
        self._order = _order(ids)
        self._cached: dict[Hashable, CachedStats] = {}
        self._hashes: list[NDArray[np.uint64]] = []

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        own = [self.ids, *self.seen.values(), *self._hashes]
        if self._order is not None:
            own.append(self._order)
        columns = sum(one.size for one in self.columns.values())
        amounts = sum(one.size for one in list(self._cached.values()))
        return sum(int(one.nbytes) for one in own) + columns + amounts

    @property
    def last_id(self) -> str:
        """The last id in order of code points."""
        return self._sorted_id(len(self) - 1)

    def cached_stats(self, key: Hashable) -> CachedStats:
        """Return the cache of a statistic; the oldest caches are dropped."""
        found = self._cached.get(key)
        if found is None:
            for oldest in list(self._cached)[: 1 - MAX_CACHED]:
                self._cached.pop(oldest, None)
            found = self._cached[key] = CachedStats(len(self))
        return found

    def forget_stats(self) -> None:
        """Drop the cached statistics."""
        self._cached = {}

    def rows_of(self, user_ids: Sequence[str]) -> Rows:
        """Return the rows of those of these users that are in the block."""
        if len(user_ids) * LOOKUP_COST > len(self):
            hits = pc.is_in(self.ids, value_set=pa.array(user_ids, pa.string()))
            return np.flatnonzero(np.asarray(hits)).astype(np.int32)
        found = []
        for user_id in user_ids:
            index = bisect_left(range(len(self)), user_id, key=self._sorted_id)
            if index < len(self) and self._sorted_id(index) == user_id:
                found.append(self._sorted_row(index))
        return np.array(found, np.int32)

    def rows_of_hashes(self, hashes: Iterable[str], user_hash: Callable[[str], str]) -> Rows:
        """Return the rows of users with these hashes (`ChangeFeed.user_hash`)."""
        wanted = set(hashes)
        if not wanted:
            return np.empty(0, np.int32)
        if not self._hashes:
            listed = [int(user_hash(name)[:_SHORT], 16) for name in self.ids.to_pylist()]
            self._hashes = [np.array(listed, np.uint64)]
        short = np.array([int(one[:_SHORT], 16) for one in wanted], np.uint64)
        rows = np.flatnonzero(np.isin(self._hashes[0], short)).tolist()
        confirmed = [row for row in rows if user_hash(self.ids[row].as_py()) in wanted]
        return np.array(confirmed, np.int32)

    def first(self, mask: Flags, after: str, count: int) -> list[str]:
        """Return the first `count` ids of a mask that are above `after`, in order."""
        start = bisect_right(range(len(self)), after, key=self._sorted_id) if after else 0
        indexes = np.arange(start, len(self), dtype=np.int32)
        rows = indexes if self._order is None else self._order[start:]
        rows = rows[mask[rows]][:count]
        found: list[str] = self.ids.take(pa.array(rows)).to_pylist()
        return found

    def attributes(self, rows: Sequence[int]) -> list[dict[str, str]]:
        """Return the attributes of the users of these rows."""
        wanted = np.array(rows, np.int32)
        found: list[dict[str, str]] = [{} for _ in rows]
        for name, one in self.columns.items():
            for user, value in zip(found, one.at(wanted), strict=True):
                if value is not None:
                    user[name] = value
        return found

    def _sorted_row(self, index: int) -> int:
        return index if self._order is None else int(self._order[index])

    def _sorted_id(self, index: int) -> str:
        return str(self.ids[self._sorted_row(index)].as_py())


def _order(ids: Ids) -> Rows | None:
    """The rows sorted by id; None if they already are."""
    if len(ids) < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py():
        return None
    rows: Rows = pc.sort_indices(ids).to_numpy().astype(np.int32)
    return rows


class Builder:
    """Collects users, and builds a block of them.

    Args:
        fields: what is collected.

    Attributes:
        size: approximate memory in bytes.
    """

    def __init__(self, fields: f.Fields) -> None:
        self.size = 0
        self._fields = fields
        self._ids: list[Ids] = []
        self._seen: dict[f.Which, list[Int64s]] = {"first": [], "last": []} if fields.seen else {}
        self._pieces: dict[str, list[Piece]] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, profiles: Profiles) -> None:
        """Add users as the store returns them."""
        ids = _ids(profiles.user_ids)
        names = self._fields.names
        if profiles.names is None:
            for name, piece in _pieces_of(_OBJECTS.decode(profiles.values), self._rows, names):
                self._add_piece(name, piece)
        else:
            rows = np.arange(self._rows, self._rows + len(ids), dtype=np.int32)
            read = [at for at, name in enumerate(profiles.names) if names is None or name in names]
            split = _split(profiles.values, len(profiles.names), read)
            for at, texts in zip(read, split, strict=True):
                self._add_piece(profiles.names[at], (rows, texts))
        self._add_ids(ids)
        for which, encoded in ("first", profiles.first_seen), ("last", profiles.last_seen):
            if which in self._seen:
                self._seen[which].append(np.array(_MOMENTS.decode(encoded), np.int64))

    def add_rows(self, block: Block, selected: Flags) -> None:
        """Add the users of a block's selected rows."""
        which = np.flatnonzero(selected)
        renumbered = np.cumsum(selected, dtype=np.int32) + np.int32(self._rows - 1)
        for name, one in block.columns.items():
            piece = one.piece(selected, renumbered)
            if len(piece[0]):
                self._add_piece(name, piece)
        self._add_ids(block.ids.take(pa.array(which)))
        for seen, moments in block.seen.items():
            self._seen[seen].append(moments[which])

    def _add_piece(self, name: str, piece: Piece) -> None:
        self._pieces.setdefault(name, []).append(piece)
        self.size += piece[0].nbytes + piece[1].nbytes

    def _add_ids(self, ids: Ids) -> None:
        self._ids.append(ids)
        self._rows += len(ids)
        self.size += ids.nbytes

    def block(self) -> Block:
        """Return the collected users, of which there must be at least one."""
        return Block(
            combined(pa.chunked_array(self._ids)),
            {which: np.concatenate(moments) for which, moments in self._seen.items()},
            {name: column(pieces, self._rows) for name, pieces in self._pieces.items()},
        )


def _ids(joined: bytes) -> Ids:
    """The ids between NULs."""
    ends = np.append(np.flatnonzero(np.frombuffer(joined, np.uint8) == 0), len(joined))
    # As in `_split`: the ids, and the NULs between them.
    offsets = np.zeros(2 * len(ends), np.int32)
    offsets[1::2] = ends
    offsets[2::2] = ends[:-1] + 1
    buffers = pa.py_buffer(offsets), pa.py_buffer(joined)
    strings = pa.StringArray.from_buffers(len(offsets) - 1, *buffers)
    return strings.take(pa.array(np.arange(0, len(strings), 2)))


def _pieces_of(
    users: list[dict[str, str]], first: int, names: frozenset[str] | None
) -> Iterable[tuple[str, Piece]]:
    """The pieces of users that do not all have the same attributes."""
    found: dict[str, tuple[list[int], list[str]]] = {}
    for row, user in enumerate(users, first):
        for name in user if names is None else names & user.keys():
            rows, values = found.setdefault(name, ([], []))
            rows.append(row)
            values.append(user[name])
    for name, (rows, values) in found.items():
        yield name, (np.array(rows, np.int32), pa.array(values, pa.large_string()))


def _split(values: bytes, names: int, read: Sequence[int]) -> list[Texts]:
    """The columns at the positions `read` of a JSON array of rows: arrays of `names` strings.

    Without escapes, the strings are the bytes between quotes, found for all rows at once.
    """
    if not read:
        return []
    if _BACKSLASH in values:
        users = _ARRAYS.decode(values)
        return [pa.array([user[at] for user in users], pa.large_string()) for at in read]
    # Arrow's strings are the bytes between adjacent offsets: each value, and what is between two.
    offsets = np.flatnonzero(np.frombuffer(values, np.uint8) == _QUOTE)
    offsets[0::2] += 1
    buffers = pa.py_buffer(offsets), pa.py_buffer(values)
    strings = pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)
    return [strings.take(pa.array(np.arange(2 * at, len(strings), 2 * names))) for at in read]

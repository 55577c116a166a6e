"""Indexes of a store in tests: what they have, read in whole."""

from collections.abc import Iterable
from time import monotonic

from uptake.reading.segments import filters as f
from uptake.reading.segments.user_index import Part, UserIndex
from uptake.store.records import Entry
from uptake.testing.store.making import attributes, entry

PLENTY = 1 << 30


def read(index: UserIndex, fields: f.Fields = f.ALL_FIELDS, memory: int = PLENTY) -> list[Part]:
    """The parts of an index."""
    return list(index.parts(fields, monotonic() + 60, memory))


def users_of(state: Iterable[Part]) -> dict[str, dict[str, str]]:
    """The users of an index with their attributes."""
    found: dict[str, dict[str, str]] = {}
    for part in state:
        assert part.count == part.present.sum() > 0
        listed = part.block.first(part.present, "", len(part.block))
        assert listed == sorted(set(listed))
        assert not found.keys() & set(listed)
        rows = [int(part.block.rows_of([user_id])[0]) for user_id in listed]
        found |= zip(listed, part.block.attributes(rows), strict=True)
    return found


def now(index: UserIndex) -> dict[str, dict[str, str]]:
    """Who is in an index, given time."""
    return users_of(read(index))


def many(count: int, first: int = 0, **values: str) -> Entry:
    """So many users with a number each."""
    numbers = range(first, first + count)
    return entry(*(attributes(f"user {i:06d}", n=f"{i}", **values) for i in numbers))

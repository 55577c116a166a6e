"""Users and their attributes as Arrow columns.

A column for each attribute: where a user has none of that name there is null, and where it is told
to be empty there is a text without characters.
"""

from collections.abc import Iterator
from operator import attrgetter

import pyarrow as pa

from uptake.exports import Question
from uptake.exports.ndjson import present_lines, row_lines
from uptake.exports.portions import ROWS_AT_ONCE, portions
from uptake.exports.selecting import selections
from uptake.exports.tables import Table
from uptake.store.base import Snapshot
from uptake.store.stored import StoredUser

CELLS_AT_ONCE = 1 << 18
"""Rows times columns of a batch, where there are many attributes."""

UTC = pa.timestamp("us", "UTC")
USERS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("first_seen", UTC, nullable=False),
        pa.field("last_seen", UTC, nullable=False),
    ]
)


def profiles(snapshot: Snapshot, question: Question) -> Table:
    """Users with their attributes, in order; users without any are among them."""
    names: set[str] = set()
    for only in selections(snapshot, question):
        names.update(snapshot.attribute_names(only))
    listed = sorted(names)
    schema = pa.schema(
        [pa.field("user_id", pa.string(), nullable=False)]
        + [pa.field(name, pa.string()) for name in listed]
    )

    def row(user: StoredUser) -> tuple[str | None, ...]:
        return user.user_id, *map(user.attributes.get, listed)

    rows = min(ROWS_AT_ONCE, 1 + CELLS_AT_ONCE // len(schema))
    return Table(schema, portions(_users(snapshot, question), row, schema, rows), present_lines)


def users(snapshot: Snapshot, question: Question) -> Table:
    """Users and when they were seen, in order."""
    row = attrgetter("user_id", "first_seen", "last_seen")
    return Table(USERS, portions(_users(snapshot, question), row, USERS), row_lines)


def _users(snapshot: Snapshot, question: Question) -> Iterator[StoredUser]:
    for only in selections(snapshot, question):
        yield from snapshot.users(only)

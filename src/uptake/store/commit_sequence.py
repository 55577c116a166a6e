"""Which transaction wrote a row: what is asked for what was received since an earlier export.

Transactions that write take turns in lanes. Each adds one to the number of its lane, first of all
it does, and so holds that lane's row until it is durable: within a lane, numbers are in the order
of commits and have no gaps. A row's mark is the lane and the number of the transaction that wrote
it last; the numbers of all lanes, read in the transaction that reads the rows, tell exactly which
rows it saw. No clock takes part. Decision 0013 has what else was looked at.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    false,
    literal_column,
    or_,
    select,
    update,
)

from uptake.store import tables as t
from uptake.store.database import may_touch_none

WRITER_SLOTS = 64
"""Most lanes a database uses: as many transactions can commit at the same time."""

NUMBER_BITS = 48
"""Of a mark, for the number; above them is the lane."""

SKIPPED = 1 << 32
"""Numbers left out after a restore: more than a database gives between a backup and its end."""

CommitSequence = dict[int, int]
"""The number that each lane has reached; a lane that is not there has reached none."""


def commit_number(writer_slot: int) -> ScalarSelect[int]:
    """Return the number of the transaction that took the last number of a writer slot."""
    number: ColumnElement[int] = literal_column(str(_first(writer_slot))) + t.marks.c.number
    return select(number).where(t.marks.c.lane == writer_slot).scalar_subquery()


def skip_ahead(connection: Connection, insert: Any, *, many_writers: bool) -> None:
    """Have all lanes go on from numbers that were never given, though a backup has lower ones.

    So what is written after a restore is after every cursor that was given before it.
    """
    lanes = range(WRITER_SLOTS if many_writers else 1)
    begin = insert(t.marks).values(number=literal_column("0")).on_conflict_do_nothing()
    connection.execute(may_touch_none(begin), [{"lane": lane} for lane in lanes])
    connection.execute(update(t.marks).values(number=t.marks.c.number + SKIPPED))


def received(
    mark: ColumnElement[int], since: CommitSequence, until: CommitSequence
) -> ColumnElement[bool]:
    """Whether a row was written after some marks, and not after others."""
    ranges = [
        mark.between(_first(lane) + since.get(lane, 0) + 1, _first(lane) + number)
        for lane, number in until.items()
        if number > since.get(lane, 0)
    ]
    return or_(*ranges) if ranges else false()


def _first(lane: int) -> int:
    return lane << NUMBER_BITS

"""The commit sequence: it finds the rows that were written since an earlier export.

Each process has one of a few writer slots. A transaction first adds one to the number of its slot,
which locks the slot's row until the commit: numbers of a slot are in the order of commits, without
gaps. The column `mark` of a row has the slot and number of the transaction that wrote it last. The
numbers of all slots, read together with the rows, define exactly which rows were visible; no clock
is involved. In the database the slots are the rows of the table `marks`, with the column `lane`.
Decision 0013 compares other ways.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
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

from uptake.samples.times import Int64s
from uptake.store import tables as t
from uptake.store.database import may_touch_none

WRITER_SLOTS = 64
"""Writer slots of a database: so many transactions can commit at the same time."""

NUMBER_BITS = 48
"""Bits of a mark for the number; the bits above are the slot."""

SKIPPED = 1 << 32
"""Numbers skipped after a restore: more than a database uses after its last backup."""

CommitSequence = dict[int, int]
"""The last number of each writer slot. A slot that is missing was never used."""


def commit_number(writer_slot: int) -> ScalarSelect[int]:
    """Return the number of the transaction that took the last number of a writer slot."""
    number: ColumnElement[int] = literal_column(str(_first(writer_slot))) + t.marks.c.number
    return select(number).where(t.marks.c.lane == writer_slot).scalar_subquery()


def last_numbers(connection: Connection) -> CommitSequence:
    """Return the commits that a transaction sees."""
    found = connection.execute(select(t.marks.c.lane, t.marks.c.number))
    return {row.lane: row.number for row in found}


def skip_ahead(connection: Connection, insert: Any, *, many_writers: bool) -> None:
    """Continue all writer slots after a restore with numbers that were never used.

    So what is written after the restore is after every cursor from before it.
    """
    slots = range(WRITER_SLOTS if many_writers else 1)
    begin = insert(t.marks).values(number=literal_column("0")).on_conflict_do_nothing()
    connection.execute(may_touch_none(begin), [{"lane": slot} for slot in slots])
    connection.execute(update(t.marks).values(number=t.marks.c.number + SKIPPED))


def received(
    mark: ColumnElement[int], since: CommitSequence, until: CommitSequence
) -> ColumnElement[bool]:
    """Return the condition that a row was written after `since`, and not after `until`."""
    ranges = [
        mark.between(_first(slot) + since.get(slot, 0) + 1, _first(slot) + number)
        for slot, number in until.items()
        if number > since.get(slot, 0)
    ]
    return or_(*ranges) if ranges else false()


def is_between(mark: int, since: CommitSequence, until: CommitSequence) -> bool:
    """Whether one mark meets the condition `received`."""
    slot, number = divmod(mark, 1 << NUMBER_BITS)
    return since.get(slot, 0) < number <= until.get(slot, 0)


def is_received(marks: Int64s, since: CommitSequence, until: CommitSequence) -> NDArray[np.bool_]:
    """Return which of these marks meet the condition `received`."""
    slots = marks >> NUMBER_BITS
    found = np.zeros(len(marks), bool)
    for slot in set(slots.tolist()):
        low, high = (_first(slot) + numbers.get(slot, 0) for numbers in (since, until))
        found |= (marks > low) & (marks <= high)
    return found


def _first(slot: int) -> int:
    return slot << NUMBER_BITS

"""What is asked for, as a snapshot is asked for it."""

from collections.abc import Iterator
from itertools import islice

from uptake.exports import Question
from uptake.exports.cursors import marks_of
from uptake.store.base import Snapshot
from uptake.store.stored import Selection
from uptake.time_units import TICKS_PER_MICROSECOND

USERS_AT_ONCE = 10_000
"""Users of a source that are held at a time."""


def selections(snapshot: Snapshot, question: Question) -> Iterator[Selection]:
    """Selections that together are what is asked for, in order.

    Raises:
        BadCursor: `since` was not given by this server.
    """
    since = None if question.since is None else marks_of(question.since, snapshot.marks)
    start, end = question.start, question.end
    if question.kind != "samples":
        start, end = _microseconds(start), _microseconds(end)
    if question.users is None:
        yield Selection(None, since, start, end)
        return
    users = iter(question.users())
    while some := list(islice(users, USERS_AT_ONCE)):
        yield Selection(some, since, start, end)


def _microseconds(ticks: int | None) -> int | None:
    """The first whole microsecond at or after an instant."""
    return None if ticks is None else -(-ticks // TICKS_PER_MICROSECOND)

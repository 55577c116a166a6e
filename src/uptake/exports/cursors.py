"""Where an export ends and the next one begins."""

from typing import Annotated

import msgspec

from uptake.reading import BadCursor, from_cursor, to_cursor
from uptake.store.commit_sequence import NUMBER_BITS, WRITER_SLOTS, CommitSequence

_Lane = Annotated[int, msgspec.Meta(ge=0, lt=WRITER_SLOTS)]
_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << NUMBER_BITS)]


def cursor_of(marks: CommitSequence) -> str:
    """A cursor after everything that a snapshot with these marks holds."""
    return to_cursor(dict(sorted(marks.items())))


def marks_of(cursor: str, now: CommitSequence) -> CommitSequence:
    """The marks that a cursor stands for, `now` being those that have been reached.

    Raises:
        BadCursor: the cursor was not given by this server, or stands for what is not there: it was
            given by another one, or this one has gone back to an earlier backup.
    """
    marks: CommitSequence = from_cursor(cursor, dict[_Lane, _Number])
    if any(number > now.get(lane, 0) for lane, number in marks.items()):
        raise BadCursor("the cursor is ahead of what is kept here: export everything anew")
    return marks

"""What can be asked about segments; one way to the answer for preview, list and export."""

import heapq
import re
from collections.abc import Iterator
from itertools import islice
from time import monotonic

import msgspec
import numpy as np
from msgspec import Raw, Struct

from uptake.model import clock
from uptake.reading import Unknown, from_cursor, to_cursor
from uptake.reading.segments import filters as f
from uptake.reading.segments import parse
from uptake.reading.segments.behaviour import StoredBehaviour
from uptake.reading.segments.census import Part, State
from uptake.reading.segments.columns import Flags
from uptake.reading.segments.evaluate import Moment, holds
from uptake.reading.segments.pool import Pool
from uptake.store.base import Store
from uptake.store.segment_records import Segment

ANSWER_SECONDS = 15.0
"""How long a question may take; then what was done is kept, and it is to be asked again."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a segment: what needs no escape in an address, a file name or a shell."""

TAKEN = ("preview",)
"""Names that no segment can have: their addresses mean something else."""

MAX_FILTER = 1024 * 1024
"""Bytes of a filter's JSON."""

ALL_AT_ONCE = 10_000
"""Users that are put in order at a time where all are wanted."""


class SegmentView(Struct, frozen=True):
    """A segment; times are RFC 3339."""

    name: str
    filter: Raw
    created_at: str
    changed_at: str


class SegmentPage(Struct, frozen=True):
    """Segments in order of name; `next` leads to the following page."""

    segments: list[SegmentView]
    next: str | None


class Member(Struct, frozen=True, gc=False):
    """A user of a segment; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    first_seen: str
    last_seen: str


class Members(Struct, frozen=True):
    """How many users a segment has, and some of them in order of id."""

    count: int
    users: list[Member]
    next: str | None


class Preview(Struct, frozen=True):
    """How many users a filter is true of, and some of them in order of id.

    Attributes:
        count: of all of them.
        users: a page.
        next: leads to the following page.
        unknown_attributes: those of the filter that no user of the project has.
    """

    count: int
    users: list[Member]
    next: str | None
    unknown_attributes: list[str]


class Segments:
    """Answers questions about the segments of all projects.

    Args:
        store: whose users they are.
        memory: bytes that users in memory may take, about.
        seconds: how long a question may take.
    """

    def __init__(self, store: Store, memory: int, seconds: float = ANSWER_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self.pool = Pool(store, memory)

    def preview(self, project: str, text: bytes, cursor: str | None, limit: int) -> Preview:
        """Of whom a filter is true.

        Raises:
            msgspec.DecodeError: the text is not JSON.
            NotAFilter: it is no filter, or names a document type that there is not.
            BadCursor: the cursor was not given by this server.
            TakesLonger, TooLarge: see `Census.now`.
        """
        wanted = self._read(project, text)
        found = self._found(project, wanted)
        page = found.page(cursor, limit)
        names = {
            one.name for one in f.conditions(wanted) if isinstance(one, f.Present | f.Compared)
        }
        unknown = names - {name for part in found.state for name in part.block.columns}
        return Preview(page.count, page.users, page.next, sorted(unknown))

    def members(self, project: str, name: str, cursor: str | None, limit: int) -> Members:
        """The users of a segment.

        Raises:
            Unknown: there is no such segment.
            BadCursor: the cursor was not given by this server.
            TakesLonger, TooLarge: see `Census.now`.
        """
        return self._found(project, self._kept(project, name)).page(cursor, limit)

    def user_ids(self, project: str, name: str) -> Iterator[str]:
        """The ids of all users of a segment as it is now, in order.

        Raises:
            Unknown: there is no such segment.
            TakesLonger, TooLarge: see `Census.now`.
        """
        return self._found(project, self._kept(project, name)).all()

    def put(self, project: str, name: str, text: bytes) -> SegmentView:
        """Keep a filter under a name.

        Raises:
            msgspec.DecodeError: the text is not JSON.
            NotAFilter: it is no filter, or names a document type that there is not.
        """
        self._read(project, text)
        now = clock.now()
        compact = msgspec.json.format(text, indent=-1).decode()
        return _view(self._store.put_segment(project, Segment(name, compact, now, now)))

    def segment(self, project: str, name: str) -> SegmentView:
        """A segment.

        Raises:
            Unknown: there is none of that name.
        """
        found = self._store.segment(project, name)
        if found is None:
            raise Unknown(name)
        return _view(found)

    def segments(self, project: str, cursor: str | None, limit: int) -> SegmentPage:
        """A project's segments, at most `limit` of them, from a cursor on.

        Raises:
            BadCursor: the cursor was not given by this server.
        """
        after: str = from_cursor(cursor, str) if cursor else ""
        found = self._store.segments(project, after, limit + 1)
        shown = found[:limit]
        following = to_cursor(shown[-1].name) if len(found) > limit else None
        return SegmentPage([_view(segment) for segment in shown], following)

    def delete(self, project: str, name: str) -> None:
        """Forget a segment.

        Raises:
            Unknown: there is none of that name.
        """
        if not self._store.delete_segment(project, name):
            raise Unknown(name)

    def _read(self, project: str, text: bytes) -> f.Filter:
        def has_type(name: str) -> bool:
            return "\0" not in name and self._store.document_type(project, name) is not None

        return parse.read(text, has_type)

    def _kept(self, project: str, name: str) -> f.Filter:
        segment = self._store.segment(project, name)
        if segment is None:
            raise Unknown(name)
        return parse.read(segment.filter.encode())

    def _found(self, project: str, wanted: f.Filter) -> "_Found":
        until = monotonic() + self._seconds
        state = self.pool.now(project, until)
        moment = Moment(clock.now(), StoredBehaviour(self._store, project, until))
        return _Found(state, [holds(wanted, part.block, part.stands, moment) for part in state])


class _Found:
    """Users of a census of whom a filter is true.

    Args:
        state: the census.
        masks: of each part, the rows of which it is true.
    """

    def __init__(self, state: State, masks: list[Flags]) -> None:
        self.state = state
        self._masks = masks

    def page(self, cursor: str | None, limit: int) -> Members:
        after: str = from_cursor(cursor, str) if cursor else ""
        found = self._first(after, limit + 1)
        shown = found[:limit]
        count = sum(int(np.count_nonzero(mask)) for mask in self._masks)
        following = to_cursor(shown[-1][0]) if len(found) > limit else None
        return Members(count, self._members(shown), following)

    def all(self) -> Iterator[str]:
        after = ""
        while found := self._first(after, ALL_AT_ONCE):
            yield from (user_id for user_id, _, _ in found)
            after = found[-1][0]

    def _first(self, after: str, count: int) -> list[tuple[str, int, int]]:
        """The first users after an id: id, number of the part, row."""
        lists = [
            [(user_id, number, row) for user_id, row in part.block.first(mask, after, count)]
            for number, (part, mask) in enumerate(zip(self.state, self._masks, strict=True))
        ]
        return list(islice(heapq.merge(*lists), count))

    def _members(self, found: list[tuple[str, int, int]]) -> list[Member]:
        made: dict[str, Member] = {}
        for number, part in enumerate(self.state):
            mine = [(user_id, row) for user_id, owner, row in found if owner == number]
            if mine:
                made |= _of_part(part, mine)
        return [made[user_id] for user_id, _, _ in found]


def _of_part(part: Part, found: list[tuple[str, int]]) -> dict[str, Member]:
    rows = [row for _, row in found]
    block = part.block
    return {
        user_id: Member(user_id, attributes, clock.iso(first), clock.iso(last))
        for (user_id, _), attributes, first, last in zip(
            found,
            block.attributes(rows),
            block.first_seen[rows].tolist(),
            block.last_seen[rows].tolist(),
            strict=True,
        )
    }


def _view(segment: Segment) -> SegmentView:
    moments = clock.iso(segment.created_at), clock.iso(segment.changed_at)
    return SegmentView(segment.name, Raw(segment.filter.encode()), *moments)

"""What can be asked about segments; one way to the answer for preview, list and export."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Raw

from uptake.model import clock
from uptake.reading import Name, Unknown, from_cursor, to_cursor
from uptake.reading.bounds import page_of
from uptake.reading.segments import filters as f
from uptake.reading.segments import parse
from uptake.reading.segments.answers import Members, Preview, SegmentPage, SegmentView
from uptake.reading.segments.pool import Pool
from uptake.store.base import (
    ChangeFeed,
    DocumentTypeRegistry,
    ItemQueries,
    SegmentRegistry,
    UserQueries,
)
from uptake.store.definitions import Segment

# What looks at users is loaded with the first question: Arrow takes 40 MB, and without questions
# about segments a server does without.
if TYPE_CHECKING:
    from uptake.reading.segments.found import Found

ANSWER_SECONDS = 15.0
"""How long a question may take; then what was done is kept, and it is to be asked again."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a segment: what needs no escape in an address, a file name or a shell."""

TAKEN = ("preview",)
"""Names that no segment can have: their addresses mean something else."""

VIEW_BYTES = 200
"""What a segment takes in an answer without its filter."""

MAX_FILTER = 1024 * 1024
"""Bytes of a filter's JSON."""


class SegmentStore(
    SegmentRegistry, DocumentTypeRegistry, UserQueries, ChangeFeed, ItemQueries, Protocol
):
    """The ports that segments are evaluated on."""


class Segments:
    """Answers questions about the segments of all projects.

    Args:
        store: whose users they are.
        memory: bytes that users in memory may take, about.
        seconds: how long a question may take.
    """

    def __init__(self, store: SegmentStore, memory: int, seconds: float = ANSWER_SECONDS) -> None:
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

    def user_ids(self, project: str, name: str) -> Callable[[], Iterator[str]]:
        """A source of the ids of all users of a segment as it is now: in order, each time anew.

        Raises:
            Unknown: there is no such segment.
            TakesLonger, TooLarge: see `Census.now`.
        """
        return self._found(project, self._kept(project, name)).all

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
        after: str = from_cursor(cursor, Name) if cursor else ""
        shown, following = page_of(
            partial(self._store.segments, project),
            after,
            lambda segment: segment.name,
            lambda segment: len(segment.filter.encode()) + VIEW_BYTES,
            limit,
        )
        views = [_view(segment) for segment in shown]
        return SegmentPage(views, None if following is None else to_cursor(following))

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

    def _found(self, project: str, wanted: f.Filter) -> "Found":
        from uptake.reading.segments.found import find  # noqa: PLC0415 - see above

        return find(self._store, self.pool, project, wanted, monotonic() + self._seconds)


def _view(segment: Segment) -> SegmentView:
    moments = clock.iso(segment.created_at), clock.iso(segment.changed_at)
    return SegmentView(segment.name, Raw(segment.filter.encode()), *moments)

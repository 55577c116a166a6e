"""Queries about segments: preview, list and export share one implementation."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Raw, Struct
from prometheus_client import Gauge

from uptake.model import cancellation, clock
from uptake.reading import Name, Page, Unknown, to_cursor
from uptake.reading.bounds import Listing
from uptake.reading.segments import DeadlineExceeded, parse
from uptake.reading.segments import filters as f
from uptake.reading.series import UserStore
from uptake.store.base import (
    ChangeFeed,
    DocumentTypeRegistry,
    SegmentRegistry,
    UserQueries,
)
from uptake.store.definitions import Segment

# Loaded with the first query: it uses Apache Arrow, which takes 40 MB that a server without
# segments does not need.
if TYPE_CHECKING:
    from uptake.reading.segments.evaluate import Found, Matched
    from uptake.reading.segments.user_index import Part, UserFeed, UserIndex

ANSWER_SECONDS = 15.0
"""Time limit of a query; the next attempt continues where it stopped."""

WARMED_SEGMENTS = 1000
"""Segments with attributes that are read before a query: the first in order of name."""

IDLE_SECONDS = 1800.0
"""How long an index stays in memory without a query."""

MEGABYTE = 1_000_000

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Names of segments: they need no escaping in a URL, a file name or a shell."""

RESERVED = ("preview",)
"""Names that no segment can have, because their paths are used."""

VIEW_BYTES = 200
"""Size of a segment in a response, without its filter."""

MAX_FILTER = 1024 * 1024
"""Bytes of a filter's JSON."""

BYTES = Gauge(
    "uptake_segment_bytes",
    "Approximate memory of the user indexes of segments",
    multiprocess_mode="livesum",
)


class SegmentView(Struct, frozen=True):
    """A segment; times are RFC 3339."""

    name: str
    filter: Raw
    created_at: str
    changed_at: str


class SegmentPage(Struct, frozen=True):
    """Segments in order of name; `next` is the cursor of the next page."""

    segments: list[SegmentView]
    next: str | None


class Member(Struct, frozen=True, gc=False):
    """A user of a segment; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    first_seen: str
    last_seen: str


class Members(Struct, frozen=True):
    """The number of users in a segment, and a page of them in order of id.

    Attributes:
        count: all users.
        users: a page of them.
        next: the cursor of the next page.
        unreadable: values of compared attributes that are not empty and cannot be read as the date
            or number that the filter compares them with.
    """

    count: int
    users: list[Member]
    next: str | None
    unreadable: int


class SegmentPreview(Members, frozen=True):
    """The number of users that match a filter, and a page of them in order of id.

    Attributes:
        count: all matching users.
        users: a page of them.
        next: the cursor of the next page.
        unreadable: as in `Members`.
        unknown_attributes: attributes of the filter that no user of the project has.
    """

    unknown_attributes: list[str]


class Pool:
    """The user indexes of all projects, one for each, within a limit of memory.

    Args:
        store: where the users are read.
        memory: approximate limit of all indexes together, in bytes.
    """

    def __init__(self, store: "UserFeed", memory: int) -> None:
        self._store = store
        self.memory = memory
        self._lock = threading.Lock()
        self._indexes: dict[str, UserIndex] = {}
        self._timer: threading.Timer | None = None

    def parts(self, project: str, fields: f.Fields, until: float) -> "Iterator[Part]":
        """Return a project's users; see `UserIndex.parts`.

        Raises:
            DeadlineExceeded: not all users have been read yet.
        """
        from uptake.reading.segments.user_index import UserIndex  # noqa: PLC0415 - see above

        with self._lock:
            index = self._indexes.setdefault(project, UserIndex(self._store, project))
            index.used = monotonic()
            self._start_timer()
        try:
            return index.parts(fields, until, self.memory)
        finally:
            self._evict(index)

    def _evict(self, used: "UserIndex") -> None:
        """Drop the least recently used indexes while all together exceed the limit."""
        with self._lock:
            sizes = {project: index.size for project, index in self._indexes.items()}
            for project in sorted(sizes, key=lambda project: self._indexes[project].used):
                if sum(sizes.values()) <= self.memory:
                    break
                if self._indexes[project] is not used:
                    del self._indexes[project], sizes[project]
            BYTES.set(sum(sizes.values()))

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(IDLE_SECONDS / 2, self.drop_idle)
            self._timer.daemon = True
            self._timer.start()

    def drop_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Drop indexes that have not been used for this long."""
        oldest = monotonic() - seconds
        with self._lock:
            self._timer = None
            self._indexes = {name: one for name, one in self._indexes.items() if one.used > oldest}
            BYTES.set(sum(index.size for index in self._indexes.values()))
            if self._indexes:
                self._start_timer()

    @property
    def projects(self) -> list[str]:
        """The projects with an index in memory, sorted."""
        with self._lock:
            return sorted(self._indexes)

    def close(self) -> None:
        """Drop all indexes."""
        with self._lock:
            self._indexes = {}
            if self._timer is not None:
                self._timer.cancel()


class SegmentStore(
    SegmentRegistry, DocumentTypeRegistry, UserQueries, ChangeFeed, UserStore, Protocol
):
    """The store ports that segments use."""


class Segments:
    """Stores segments and runs queries about them.

    Args:
        store: where users and segments are.
        memory: approximate limit of the users in memory, in bytes.
        seconds: time limit of a query.
    """

    def __init__(self, store: SegmentStore, memory: int, seconds: float = ANSWER_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self.pool = Pool(store, memory)

    def preview(self, project: str, text: bytes, page: Page) -> SegmentPreview:
        """Return the users that match a filter.

        Raises:
            msgspec.DecodeError: the text is not JSON.
            InvalidFilter: the filter is invalid, or names an unknown document type.
            BadCursor: this server did not issue the cursor.
            DeadlineExceeded: see `UserIndex.parts`.
        """
        wanted = self._parse(project, text)
        found = self._first(project, wanted, page)
        unknown = (f.fields(wanted).names or frozenset()) - found.names
        members = self._page(project, found, page)
        return SegmentPreview(found.count, *members, found.unreadable, sorted(unknown))

    def members(self, project: str, name: str, page: Page) -> Members:
        """Return the users of a segment.

        Raises:
            Unknown: the segment does not exist.
            BadCursor: this server did not issue the cursor.
            DeadlineExceeded: see `UserIndex.parts`.
        """
        found = self._first(project, self._filter(project, name), page)
        return Members(found.count, *self._page(project, found, page), found.unreadable)

    def user_ids(self, project: str, name: str) -> Callable[[], Iterator[str]]:
        """Find the users of a segment; each call of the result yields their ids, in order.

        Raises:
            Unknown: the segment does not exist.
            DeadlineExceeded: see `UserIndex.parts`.
            TooLarge: their ids take more memory than is available.
        """
        from uptake.reading.segments.evaluate import every  # noqa: PLC0415 - see above

        return every(self._find(project, self._filter(project, name)), self.pool.memory)

    def all_matching(self, project: str, text: str) -> Callable[[], Iterator[str]]:
        """Find the users that match a stored filter; each call of the result yields their ids.

        Raises:
            InvalidFilter: an earlier version stored the filter.
            DeadlineExceeded: see `UserIndex.parts`.
            TooLarge: their ids take more memory than is available.
        """
        from uptake.reading.segments.evaluate import every  # noqa: PLC0415 - see above

        return every(self._find(project, parse.read(text.encode())), self.pool.memory)

    def matching_among(self, project: str, text: str, user_ids: Sequence[str]) -> set[str]:
        """Return those of these users that match a stored filter, as they are now.

        Raises:
            InvalidFilter, DeadlineExceeded: see `all_matching`.
        """
        from uptake.reading.segments.evaluate import every_of  # noqa: PLC0415 - see above

        until = monotonic() + self._seconds
        return every_of(self._store, project, parse.read(text.encode()), user_ids, until)

    def warm(self, project: str) -> None:
        """Read a project's users into memory, with the fields of its segments."""
        fields, segments = f.Fields(), self._store.segments(project, "", WARMED_SEGMENTS)
        for segment in segments:
            # Filters of an earlier version may be invalid.
            with suppress(parse.InvalidFilter):
                fields = fields.union(f.fields(parse.read(segment.filter.encode())))
        read = False
        while not read:
            cancellation.check()
            with suppress(DeadlineExceeded):
                self.pool.parts(project, fields, monotonic() + self._seconds)
                read = True

    def put(self, project: str, name: str, text: bytes) -> SegmentView:
        """Create a segment, or replace the filter of an existing one.

        Raises:
            msgspec.DecodeError: the text is not JSON.
            InvalidFilter: the filter is invalid, or names an unknown document type.
        """
        self._parse(project, text)
        now = clock.now()
        compact = msgspec.json.format(text, indent=-1).decode()
        return _view(self._store.put_segment(project, Segment(name, compact, now, now)))

    def segment(self, project: str, name: str) -> SegmentView:
        """Return a segment.

        Raises:
            Unknown: the segment does not exist.
        """
        return _view(self._stored(project, name))

    def segments(self, project: str, page: Page) -> SegmentPage:
        """Return a page of a project's segments.

        Raises:
            BadCursor: this server did not issue the cursor.
        """
        listing = Listing(
            fetch=partial(self._store.segments, project),
            key=lambda segment: segment.name,
            size=lambda segment: len(segment.filter.encode()) + VIEW_BYTES,
            cursor_type=Name,
            start="",
        )
        found, following = listing.page(page)
        return SegmentPage([_view(segment) for segment in found], following)

    def delete(self, project: str, name: str) -> None:
        """Delete a segment.

        Raises:
            Unknown: the segment does not exist.
        """
        if not self._store.delete_segment(project, name):
            raise Unknown("segment", name)

    def _parse(self, project: str, text: bytes) -> f.Filter:
        def has_type(name: str) -> bool:
            return "\0" not in name and self._store.document_type(project, name) is not None

        return parse.read(text, has_type)

    def _stored(self, project: str, name: str) -> Segment:
        segment = self._store.segment(project, name)
        if segment is None:
            raise Unknown("segment", name)
        return segment

    def _filter(self, project: str, name: str) -> f.Filter:
        return parse.read(self._stored(project, name).filter.encode())

    def _find(self, project: str, wanted: f.Filter) -> "Iterator[Matched]":
        from uptake.reading.segments.evaluate import find  # noqa: PLC0415 - see above

        return find(self._store, self.pool, project, wanted, monotonic() + self._seconds)

    def _first(self, project: str, wanted: f.Filter, page: Page) -> "Found":
        from uptake.reading.segments.evaluate import first  # noqa: PLC0415 - see above

        after = page.after(Name, "")
        return first(self._find(project, wanted), wanted, after, page.limit + 1)

    def _page(self, project: str, found: "Found", page: Page) -> tuple[list[Member], str | None]:
        """The members of a page as they are now, and the cursor of the next page."""
        from uptake.reading.segments.evaluate import members  # noqa: PLC0415 - see above

        shown = found.user_ids[: page.limit]
        following = to_cursor(shown[-1]) if len(found.user_ids) > page.limit else None
        return members(self._store, project, shown), following


def _view(segment: Segment) -> SegmentView:
    moments = clock.iso(segment.created_at), clock.iso(segment.changed_at)
    return SegmentView(segment.name, Raw(segment.filter.encode()), *moments)

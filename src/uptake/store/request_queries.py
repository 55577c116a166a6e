"""Lists requests: receipts in rows, and pages of those that were folded."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    insert,
    or_,
    select,
    tuple_,
)

from uptake.model import cancellation, ids
from uptake.store import receipt_blocks, request_pages
from uptake.store import request_tables as rt
from uptake.store import tables as t
from uptake.store.commit_sequence import CommitSequence, is_between, last_numbers, received
from uptake.store.database import Database, Writer, batches_of, delete_all, streamed, update_all
from uptake.store.receipt_blocks import Placed, placed_of
from uptake.store.requests import (
    NewRequests,
    Outcome,
    RequestFilter,
    RequestPosition,
    Requests,
    StatusFilter,
    StoredRequest,
    request_of,
)
from uptake.time_units import MICROSECONDS_PER_DAY

PAGES_AT_ONCE = 64
NO_USER = ""
"""The user of the highest number, if that user was erased."""

MAX_PAGES = 1000
"""Pages of folded requests that one call reads, in about 0.2 s: 500,000 requests."""

MAX_NEW_PAGES = 100
"""Pages from which new requests are read at a time, in about 20 ms: 50,000 requests."""

_NOTHING = msgspec.msgpack.encode(())
_ERASED = msgspec.msgpack.encode([["erased", 0, "", False]])[:9]
"""The `items` of a receipt without accepted items; the begin of those with only erased ones."""


class SqlRequests(Database):
    """The port `RequestQueries`, on SQL."""

    def requests(
        self, projects: Sequence[str], only: RequestFilter, before: RequestPosition, limit: int
    ) -> Requests:
        """See `RequestQueries.requests`."""
        found: list[StoredRequest] = []
        following: RequestPosition | None = before
        left = MAX_PAGES
        with self.reading() as connection:
            # A request of an erased user is left out, so that further ones must be read.
            while following is not None and len(found) <= limit and left > 0:
                more = _Listing(connection, projects, only, following, limit + 1, left)
                found += _with_users(connection, more.newest())
                following, left = more.next, left - max(more.pages, 1)
        if len(found) > limit:
            return Requests(found[:limit], found[limit - 1].position)
        return Requests(found, following)

    def request_commits(self) -> CommitSequence:
        """See `RequestQueries.request_commits`."""
        with self.reading() as connection:
            return last_numbers(connection)

    def new_requests(
        self,
        projects: Sequence[str] | None,
        only: RequestFilter,
        since: CommitSequence,
        until: CommitSequence | None,
        limit: int,
    ) -> NewRequests:
        """See `RequestQueries.new_requests`."""
        with self.reading() as connection:
            now = last_numbers(connection)
            until = now if until is None else until
            if since == until:
                return NewRequests([], until)
            found = _new_rows(connection, projects, only, (since, until), limit)
            pages = _new_pages(connection, projects, only, (since, now))
            for some in pages.found:
                found += [one for one in some if is_between(one.mark, since, until)]
            found = sorted(_with_users(connection, found), key=lambda one: one.position)
        found = [one for one in found if only.matches(one)]
        return NewRequests(found[-limit:], until, len(found) > limit or pages.truncated)


class _Listing:
    """The newest requests before a position, from where they are.

    Args:
        connection: in a transaction.
        projects: names.
        only: which requests.
        before: their positions are below it.
        count: how many are wanted.
        most: pages to read.

    Attributes:
        pages: number of pages read.
        next: where to continue; None if there are no more requests.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one call
        self,
        connection: Connection,
        projects: Sequence[str],
        only: RequestFilter,
        before: RequestPosition,
        count: int,
        most: int,
    ) -> None:
        self._connection = connection
        self._projects = projects
        self._only = only
        self._before = before
        self._count = count
        self._most = most
        self._found: dict[tuple[RequestPosition, str], StoredRequest] = {}
        self.pages = 0
        self.next: RequestPosition | None = None

    def newest(self) -> list[StoredRequest]:
        """Return at most `count` requests, the newest first; those of pages have no user yet."""
        # Rows before what they are folded into: what is folded in between is found twice.
        self._add(self._rows())
        folded = self._of_pages() if self._only.user_id is None else self._of_blocks()
        read_to = 0
        for last, requests in folded:
            cancellation.check()
            if self._is_complete(last):
                break
            if self.pages == self._most:
                read_to = last + 1
                break
            self.pages += 1
            self._add(requests())
        found = [one for one in self._sorted() if one.received_at >= read_to]
        if len(found) >= self._count:
            found = found[: self._count]
            self.next = found[-1].position
        elif read_to:
            self.next = RequestPosition(read_to, "", -1)
        return found

    def _sorted(self) -> list[StoredRequest]:
        return sorted(self._found.values(), key=lambda one: one.position, reverse=True)

    def _add(self, requests: Sequence[StoredRequest]) -> None:
        for one in requests:
            if one.position < self._before:
                self._found.setdefault((one.position, one.project), one)

    def _is_complete(self, last: int) -> bool:
        """Whether no request that was received at this moment or before belongs to the result."""
        if len(self._found) < self._count:
            return False
        newest = self._sorted()[: self._count]
        self._found = {(one.position, one.project): one for one in newest}
        return newest[-1].received_at > last

    def _rows(self) -> list[StoredRequest]:
        r = t.receipts.c
        place = r.received_at, r.request_id, r.place
        query = (
            select(t.receipts)
            .where(r.project_id.in_(self._projects), *self._times(r.received_at, r.received_at))
            .where(tuple_(*place) < tuple_(*self._before))
            .order_by(*(column.desc() for column in place))
            .limit(self._count)
        )
        query = query.where(*_matching(self._only))
        rows = self._connection.execute(query).mappings()
        return [_of_row(dict(row)) for row in rows]

    def _of_pages(self) -> Iterator[tuple[int, Any]]:
        """Yield when the last request of a page was received, and what returns its requests."""
        p = rt.request_pages.c
        query = select(p.project_id, p.last, p.data).where(p.project_id.in_(self._projects))
        query = query.where(*self._times(p.last, p.first)).order_by(p.last.desc())
        for project, last, data in streamed(self._connection, query, PAGES_AT_ONCE):
            yield last, lambda: request_pages.selected(project, data, self._only)  # noqa: B023

    def _of_blocks(self) -> Iterator[tuple[int, Any]]:
        """The same of a user's blocks of receipts."""
        b = t.receipt_blocks.c
        query = (
            select(b.project_id, b.day, b.timed, b.ids, b.data)
            .where(b.project_id.in_(self._projects), b.user_id == self._only.user_id)
            .where(*self._times(b.day, b.day, MICROSECONDS_PER_DAY))
            .order_by(b.day.desc())
        )
        for project, day, timed, *block in streamed(self._connection, query, PAGES_AT_ONCE):
            end = (day + 1) * MICROSECONDS_PER_DAY - 1
            yield end, lambda: self._of_block(project, bool(timed), block)  # noqa: B023

    def _of_block(self, project: str, timed: bool, block: Any) -> list[StoredRequest]:  # noqa: FBT001
        placed = receipt_blocks.decode(self._only.user_id or "", *block, timed=timed)
        requests = [_request(project, one) for one in placed]
        return [one for one in requests if self._only.matches(one)]

    def _times(
        self, last: ColumnElement[int], first: ColumnElement[int], unit: int = 1
    ) -> list[ColumnElement[bool]]:
        """Conditions of rows that may have requests of the time.

        Args:
            last: column of a row with the last time of a request.
            first: with the first.
            unit: of the columns, in microseconds.
        """
        until = self._before.received_at
        if self._only.until is not None:
            until = min(until, self._only.until - 1)
        since = [] if self._only.since is None else [last >= self._only.since // unit]
        return [first <= until // unit, *since]


def _request(project: str, placed: Placed) -> StoredRequest:
    return request_of(project, placed.place, placed.receipt)


def _of_row(row: dict[str, Any]) -> StoredRequest:
    placed = placed_of(row)
    return request_of(row["project_id"], placed.place, placed.receipt, row["mark"])


def _matching(only: RequestFilter) -> list[ColumnElement[bool]]:
    """Conditions of the rows that a filter selects, without those of its times."""
    r = t.receipts.c
    named = {name: getattr(only, name) for name in ("format", "key_id", "user_id")}
    found = [r[name] == value for name, value in named.items() if value is not None]
    return found if only.status is None else [*found, _has_status(only.status)]


def _new_rows(
    connection: Connection,
    projects: Sequence[str] | None,
    only: RequestFilter,
    between: tuple[CommitSequence, CommitSequence],
    limit: int,
) -> list[StoredRequest]:
    """The newest requests between two positions of the commit sequence, of rows.

    No index is read: there are few rows, and an entry for each would make uploads slower.
    """
    r = t.receipts.c
    query = select(t.receipts).where(received(r.mark, *between), *_matching(only))
    if projects is not None:
        query = query.where(r.project_id.in_(projects))
    query = query.order_by(r.received_at.desc()).limit(limit + 1)
    return [_of_row(dict(row)) for row in connection.execute(query).mappings()]


class _NewPages(NamedTuple):
    """Requests of each page, and whether there are more pages."""

    found: list[list[StoredRequest]]
    truncated: bool


def _new_pages(
    connection: Connection,
    projects: Sequence[str] | None,
    only: RequestFilter,
    between: tuple[CommitSequence, CommitSequence],
) -> _NewPages:
    """The requests of the newest pages that were written between two positions."""
    p = rt.request_pages.c
    query = select(p.project_id, p.data).where(received(p.mark, *between))
    if projects is not None:
        query = query.where(p.project_id.in_(projects))
    query = query.order_by(p.last.desc()).limit(MAX_NEW_PAGES + 1)
    pages = connection.execute(query).all()
    # Users are numbers there, so the filter by user follows.
    everyone = msgspec.structs.replace(only, user_id=None)
    found = [request_pages.selected(*page, everyone) for page in pages[:MAX_NEW_PAGES]]
    return _NewPages(found, len(pages) > MAX_NEW_PAGES)


def _has_status(wanted: StatusFilter) -> ColumnElement[bool]:
    """The condition of `requests.has_status`."""
    r = t.receipts.c
    erased = func.substr(r["items"], 1, len(_ERASED)) == _ERASED
    empty = r["items"] == _NOTHING
    of = {
        Outcome.ACCEPTED: and_(r.rejected_items.is_(None), ~erased),
        Outcome.PARTIAL: and_(r.rejected_items.is_not(None), ~empty, ~erased),
        Outcome.REJECTED: and_(r.rejected_items.is_not(None), empty),
    }
    some = [and_(of[one], r.format.in_(names)) for one, names in wanted.formats.items()]
    if wanted.erased:
        some.append(erased)
    return or_(r.status == wanted.status, and_(r.status == 0, or_(false(), *some)))


def _with_users(connection: Connection, found: Sequence[StoredRequest]) -> list[StoredRequest]:
    """Replace numbers by user ids; without the requests of erased users."""
    u = rt.request_users.c
    numbers = sorted({one.user_number for one in found} - {0})
    names: dict[tuple[str, int], str] = {}
    for some in batches_of(numbers):
        projects = {one.project for one in found}
        query = select(u.project_id, u.number, u.user_id)
        query = query.where(u.project_id.in_(projects), u.number.in_(some), u.user_id != NO_USER)
        names |= {(row[0], row[1]): row[2] for row in connection.execute(query)}
    return [
        msgspec.structs.replace(one, user_id=names[one.project, one.user_number], user_number=0)
        if one.user_number
        else one
        for one in found
        if not one.user_number or (one.project, one.user_number) in names
    ]


def add_page(
    connection: Connection, project: str, rows: Sequence[dict[str, Any]], writer: Writer
) -> None:
    """Add a page of receipts that are folded.

    Args:
        connection: in a transaction that writes, and has locked the project.
        project: of the receipts.
        rows: the receipts.
        writer: of the transaction.
    """
    requests = sorted((_of_row(row) for row in rows), key=lambda one: one.position)
    numbers = _numbers(connection, project, {one.user_id for one in requests} - {""})
    row = {
        "project_id": project,
        "last": requests[-1].received_at,
        "page_id": ids.time_ordered(),
        "first": requests[0].received_at,
        "data": request_pages.encode(requests, numbers),
    }
    # Last, because it blocks the uploads of this process until the commit.
    writer.take_commit_number()
    writer.flush()
    connection.execute(insert(rt.request_pages).values(**row, mark=writer.commit_number))


def _numbers(connection: Connection, project: str, users: set[str]) -> dict[str, int]:
    """Return the numbers of users; new users get the next ones."""
    u = rt.request_users.c
    numbers: dict[str, int] = {}
    for some in batches_of(sorted(users)):
        known = select(u.user_id, u.number).where(u.project_id == project, u.user_id.in_(some))
        numbers |= {row[0]: row[1] for row in connection.execute(known)}
    if new := sorted(users - numbers.keys()):
        last: Select[Any] = select(func.max(u.number)).filter_by(project_id=project)
        first = (connection.scalar(last) or 0) + 1
        added = {user_id: number for number, user_id in enumerate(new, first)}
        rows = [
            {"project_id": project, "user_id": user_id, "number": number}
            for user_id, number in added.items()
        ]
        connection.execute(insert(rt.request_users), rows)
        numbers |= added
    return numbers


def delete_number(connection: Connection, project: str, user_id: str) -> None:
    """Delete the number of a user who is erased.

    The highest number stays, without its user: the next new user would get it again, and with it
    the requests of the erased one.
    """
    u = rt.request_users.c
    mine = [u.project_id == project, u.user_id == user_id]
    highest = select(u.user_id).filter_by(project_id=project).order_by(u.number.desc()).limit(1)
    if connection.scalar(highest) == user_id:
        placeholder = u.project_id == project, u.user_id == NO_USER
        delete_all(connection, rt.request_users, *placeholder)
        update_all(connection, rt.request_users, mine, {"user_id": NO_USER})
    else:
        delete_all(connection, rt.request_users, *mine)

"""Lists requests: receipts in rows, and pages of those that were folded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

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
from uptake.store.database import Database, Writer, batches_of, delete_all, streamed, update_all
from uptake.store.receipt_blocks import placed_of
from uptake.store.request_lookups import NO_USER, newest, with_ids, with_users
from uptake.store.request_pages import Entry, Folded
from uptake.store.requests import (
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

MAX_PAGES = 1000
"""Pages of folded requests that one call reads, in about 0.2 s: 500,000 requests."""

_NOTHING = msgspec.msgpack.encode(())
_ERASED = msgspec.msgpack.encode([["erased", 0, "", False]])[:9]
"""The `items` of a receipt without accepted items; the begin of those with only erased ones."""


class SqlRequests(Database):
    """The part of the port `RequestQueries` that lists requests, on SQL."""

    def requests(
        self, projects: Sequence[str], only: RequestFilter, before: RequestPosition, limit: int
    ) -> Requests:
        """See `RequestQueries.requests`."""
        with self.reading() as connection:
            listing = _Listing(connection, projects, only, before, limit + 1)
            found = listing.newest()
        if len(found) > limit:
            return Requests(found[:limit], found[limit - 1].position)
        return Requests(found, listing.next)


class _Listing:
    """The newest requests before a position, from where they are.

    Args:
        connection: in a transaction.
        projects: names.
        only: which requests.
        before: their positions are below it.
        count: how many are wanted.

    Attributes:
        next: where to continue; None if there are no more requests.
    """

    def __init__(
        self,
        connection: Connection,
        projects: Sequence[str],
        only: RequestFilter,
        before: RequestPosition,
        count: int,
    ) -> None:
        self._connection = connection
        self._projects = projects
        self._only = only
        self._before = before
        self._count = count
        self._found: dict[tuple[RequestPosition, str], StoredRequest] = {}
        # Of pages, in order of time: not looked up yet.
        self._waiting: list[Entry] = []
        self.next: RequestPosition | None = None

    def newest(self) -> list[StoredRequest]:
        """Return at most `count` requests, the newest first."""
        # Rows before what they are folded into: what is folded in between is found twice.
        self._add(self._rows())
        folded = self._of_pages() if self._only.user_id is None else self._of_blocks()
        read_to = 0
        for number, (last, read) in enumerate(folded):
            cancellation.check()
            if self._is_complete(last):
                break
            if number == MAX_PAGES:
                read_to = last + 1
                break
            read()
        self._look_up()
        found = [one for one in self._sorted() if one.received_at >= read_to]
        if len(found) >= self._count:
            found = found[: self._count]
            self.next = found[-1].position
        elif read_to:
            self.next = RequestPosition(read_to, "", -1)
        return found

    def _sorted(self) -> list[StoredRequest]:
        return sorted(self._found.values(), key=lambda one: one.position, reverse=True)

    def _add(self, requests: Iterable[StoredRequest]) -> None:
        for one in requests:
            if one.position < self._before:
                self._found.setdefault((one.position, one.project), one)

    def _is_complete(self, last: int) -> bool:
        """Whether no request that was received at this moment or before belongs to the result."""
        if len(self._found) + len(self._waiting) < self._count:
            return False
        self._look_up()
        if len(self._found) < self._count:
            return False
        found = self._sorted()[: self._count]
        self._found = {(one.position, one.project): one for one in found}
        self._waiting.clear()
        return found[-1].received_at > last

    def _look_up(self) -> None:
        """Find the newest requests of those that wait, until the others are too old.

        Requests of erased users are left out, so more than the newest may be looked up.
        """
        while self._waiting:
            found = self._sorted()[: self._count]
            last = self._waiting[-1].request.received_at
            if len(found) == self._count and found[-1].received_at > last:
                return
            some = newest(self._waiting, self._count)
            del self._waiting[-len(some) :]
            self._add(with_ids(self._connection, with_users(self._connection, some)))

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
        query = query.where(*matching(self._only))
        return requests_of(self._connection, query)

    def _of_pages(self) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield when the last request of a page was received, and what reads the page."""
        p = rt.request_pages.c
        query = select(p.project_id, p.last, p.data).where(p.project_id.in_(self._projects))
        query = query.where(*self._times(p.last, p.first)).order_by(p.last.desc())
        for project, last, data in streamed(self._connection, query, PAGES_AT_ONCE):
            yield last, partial(self._read_page, project, data)

    def _read_page(self, project: str, data: bytes) -> None:
        until = self._before.received_at
        selected = request_pages.selected(project, data, self._only)
        self._waiting += [one for one in selected if one.request.received_at <= until]
        self._waiting.sort(key=lambda one: one.request.received_at)

    def _of_blocks(self) -> Iterator[tuple[int, Callable[[], None]]]:
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
            yield end, partial(self._read_block, project, bool(timed), block)

    def _read_block(self, project: str, timed: bool, block: Any) -> None:  # noqa: FBT001
        placed = receipt_blocks.decode(self._only.user_id or "", *block, timed=timed)
        requests = [request_of(project, one.place, one.receipt) for one in placed]
        self._add([one for one in requests if self._only.matches(one)])

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


def requests_of(connection: Connection, query: Any) -> list[StoredRequest]:
    """The requests of a query of all columns of receipts."""
    result = connection.execute(query)
    # Half the time of `mappings`.
    names = tuple(result.keys())
    return [_of_row(dict(zip(names, row, strict=True))) for row in result.all()]


def _of_row(row: dict[str, Any]) -> StoredRequest:
    placed = placed_of(row)
    return request_of(row["project_id"], placed.place, placed.receipt, placed.mark)


def matching(only: RequestFilter) -> list[ColumnElement[bool]]:
    """Conditions of the rows that a filter selects, without those of its times."""
    r = t.receipts.c
    named = {name: getattr(only, name) for name in ("format", "key_id", "user_id")}
    found = [r[name] == value for name, value in named.items() if value is not None]
    return found if only.status is None else [*found, _has_status(only.status)]


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


def add_page(
    connection: Connection, project: str, folded: Sequence[Folded], writer: Writer
) -> None:
    """Add a page of receipts that are folded.

    Args:
        connection: in a transaction that writes, and has locked the project.
        project: of the receipts.
        folded: the receipts.
        writer: of the transaction.
    """
    in_order = sorted(folded, key=lambda one: one.placed.key)
    users = {one.placed.receipt.user_id for one in in_order} - {""}
    row = {
        "project_id": project,
        "last": in_order[-1].placed.received_at,
        "page_id": ids.time_ordered(),
        "first": in_order[0].placed.received_at,
        "data": request_pages.encode(in_order, _numbers(connection, project, users)),
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

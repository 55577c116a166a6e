"""New requests: those that were stored after a position of the commit sequence."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from uptake.store import request_pages
from uptake.store import request_tables as rt
from uptake.store import tables as t
from uptake.store.commit_sequence import CommitSequence, is_between, last_numbers, received
from uptake.store.database import Database
from uptake.store.request_lookups import newest, with_ids, with_users
from uptake.store.request_pages import Entry
from uptake.store.request_queries import matching, requests_of
from uptake.store.requests import ALL_REQUESTS, NewRequests, RequestFilter, StoredRequest

MAX_NEW_PAGES = 100
"""Pages from which new requests are read at a time, in about 20 ms: 50,000 requests."""


class SqlNewRequests(Database):
    """The part of the port `RequestQueries` about new requests, on SQL."""

    def request_commits(self) -> CommitSequence:
        """See `RequestQueries.request_commits`."""
        with self.reading() as connection:
            return last_numbers(connection)

    def projects_with_requests(self, since: CommitSequence) -> list[str]:
        """See `RequestQueries.projects_with_requests`."""
        with self.reading() as connection:
            now = last_numbers(connection)
            # Rows before the pages into which they are folded.
            found = {
                name
                for table in (t.receipts, rt.request_pages)
                for name in connection.scalars(
                    select(table.c.project_id).where(received(table.c.mark, since, now)).distinct()
                )
            }
        return sorted(found)

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
            new = [one for one in pages.entries if is_between(one.request.mark, since, until)]
            new = with_users(connection, new)
            new = [one for one in new if only.user_id in {None, one.request.user_id}]
            new.sort(key=lambda one: one.request.received_at)
            found += with_ids(connection, newest(new, limit + 1))
        if only != ALL_REQUESTS:
            found = [one for one in found if only.matches(one)]
        found.sort(key=lambda one: one.position)
        return NewRequests(found[-limit:], until, len(found) > limit or pages.truncated)


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
    query = select(t.receipts).where(received(r.mark, *between), *matching(only))
    if projects is not None:
        query = query.where(r.project_id.in_(projects))
    query = query.order_by(r.received_at.desc()).limit(limit + 1)
    return requests_of(connection, query)


class _NewPages(NamedTuple):
    """Requests of pages, and whether there are more pages."""

    entries: list[Entry]
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
    return _NewPages(list(chain(*found)), len(pages) > MAX_NEW_PAGES)

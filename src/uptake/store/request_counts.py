"""Counts requests: receipts in rows, and pages of those that were folded.

A page does not change, so the columns of pages stay in memory, and each is read once. They have
neither ids nor users.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, select

from uptake.model import cancellation
from uptake.store import request_pages
from uptake.store import request_tables as rt
from uptake.store import tables as t
from uptake.store.database import Database, batches_of
from uptake.store.receipt_blocks import placed_of
from uptake.store.request_count_ports import NO_MS, CountedRequests, joined
from uptake.store.requests import StoredRequest, request_of

MAX_PAGES = 1000
"""Pages that are counted at once and that stay in memory: 500,000 requests in 20 MB."""

MAX_NEW_PAGES = 150
"""Pages that one call reads, which takes 50 ms. The next call reads more."""

MAX_ROWS = 5000
"""Receipts in rows that one call reads. Usually there are fewer than 500: others were folded."""

_Page = tuple[str, int, str]
"""Project, time of the last request, and id."""


class SqlRequestCounts(Database):
    """The port `RequestCounts`, on SQL."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._pages: OrderedDict[str, CountedRequests] = OrderedDict()
        self._pages_lock = threading.Lock()

    def counted_requests(
        self, projects: Sequence[str], since: int, until: int
    ) -> tuple[CountedRequests, int]:
        """See `RequestCounts.counted_requests`."""
        with self.reading() as connection:
            rows, since = _rows(connection, projects, since, until)
            pages, since = self._of_pages(connection, projects, since, until)
        found = joined(pages)
        # What is folded in between is in both.
        is_new = ~np.isin(found.moments, rows.moments)
        found = joined([rows, found.where(is_new)])
        return found.where((found.moments >= since) & (found.moments < until)), since

    def _of_pages(
        self, connection: Connection, projects: Sequence[str], since: int, until: int
    ) -> tuple[list[CountedRequests], int]:
        """Return the pages that reach into an interval, and since when they are all."""
        p = rt.request_pages.c
        query = select(p.project_id, p.last, p.page_id).where(p.project_id.in_(projects))
        query = query.where(p.last >= since, p.first < until).order_by(p.last.desc())
        keys: list[_Page] = [tuple(row) for row in connection.execute(query.limit(MAX_PAGES + 1))]
        if len(keys) > MAX_PAGES:
            since = keys[MAX_PAGES][1] + 1
            del keys[MAX_PAGES:]
        new = [key for key in keys if key[2] not in self._pages]
        if len(new) > MAX_NEW_PAGES:
            since = max(since, new[MAX_NEW_PAGES][1] + 1)
            del new[MAX_NEW_PAGES:]
        read = self._read(connection, projects, new)
        with self._pages_lock:
            self._pages |= read
            while len(self._pages) > MAX_PAGES:
                self._pages.popitem(last=False)
            known = {key[2]: self._pages.get(key[2]) for key in keys} | read
        return [page for page in known.values() if page is not None], since

    def _read(
        self, connection: Connection, projects: Sequence[str], keys: Sequence[_Page]
    ) -> dict[str, CountedRequests]:
        p = rt.request_pages.c
        found = {}
        for some in batches_of(keys):
            these = p.last.in_({key[1] for key in some}), p.page_id.in_([key[2] for key in some])
            query = select(p.page_id, p.data).where(p.project_id.in_(projects), *these)
            for page_id, data in connection.execute(query):
                cancellation.check()
                found[page_id] = request_pages.counted(data)
        return found


def _rows(
    connection: Connection, projects: Sequence[str], since: int, until: int
) -> tuple[CountedRequests, int]:
    """Return the receipts in rows of an interval, and since when they are all."""
    r = t.receipts.c
    query = select(t.receipts).where(r.project_id.in_(projects), r.received_at >= since)
    query = query.where(r.received_at < until).order_by(r.received_at.desc()).limit(MAX_ROWS + 1)
    found: list[StoredRequest] = []
    for row in connection.execute(query).mappings():
        placed = placed_of(dict(row))
        found.append(request_of(row["project_id"], placed.place, placed.receipt))
    if len(found) > MAX_ROWS:
        since = found.pop().received_at + 1
    return _columns(found), since


def _columns(requests: Sequence[StoredRequest]) -> CountedRequests:
    table: dict[Any, int] = {}
    kinds = [
        table.setdefault((one.format, one.key_id, one.outcome), len(table)) for one in requests
    ]
    values: list[list[int]] = [
        kinds,
        [one.received_at for one in requests],
        [one.accepted for one in requests],
        [one.rejected or 0 for one in requests],
        [NO_MS if one.ms is None else one.ms for one in requests],
    ]
    return CountedRequests(list(table), *(np.array(column, np.int64) for column in values))

"""Pages of users on PostgreSQL, which several connections read at the same time.

A query runs on one processor of the server. While one page is received and turned into columns, the
server works on the next ones.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

from sqlalchemy import Connection, select

from uptake.store import tables as t
from uptake.store.database import load
from uptake.store.stored import ProfilePages, Profiles
from uptake.store.user_queries import FIRST_PAGE, SqlUserQueries, next_size

READERS = 2
"""Connections that read pages: two are about as fast as the thread that uses the pages."""

MAX_AHEAD = READERS + 1
"""Pages that are being read or wait for their use. Each takes memory."""

ReadPage = Callable[[str, int], Future[list[Profiles]]]
"""Starts to read a page of so many users above an id."""


class PostgresUserQueries(SqlUserQueries):
    """The port `UserQueries`, on PostgreSQL."""

    def profiles(self, project: str, after: str, limit: int, *, seen: bool) -> ProfilePages:
        """See `UserQueries.profiles`.

        The size of the first page decides how many users the next ones have. One connection finds
        the ids where they begin, from the index alone, and others read them in the same snapshot.
        If there are only two pages, it reads both.
        """
        users = min(limit, FIRST_PAGE)
        with ExitStack() as stack:
            connection = stack.enter_context(self.reading())
            _read_in_order(connection)
            first, begin = self.page(connection, project, after, users, seen=seen)
            if not first:
                return
            yield first
            users = next_size(users, first, limit)
            if _last_id(connection, project, begin, users) is None:
                rest, _ = self.page(connection, project, begin, users, seen=seen)
                if rest:
                    yield rest
                return
            read = stack.enter_context(self._readers(connection, project, seen=seen))
            pages: deque[tuple[int, Future[list[Profiles]]]] = deque()
            start: str | None = begin
            while True:
                while start is not None and len(pages) < MAX_AHEAD:
                    pages.append((users, read(start, users)))
                    start = _last_id(connection, project, start, users)
                if not pages:
                    return
                count, future = pages.popleft()
                if page := future.result():
                    users = next_size(count, page, limit)
                    yield page

    @contextmanager
    def _readers(self, connection: Connection, project: str, *, seen: bool) -> Iterator[ReadPage]:
        """Connections that see what this one sees, each used by one thread at a time."""
        snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        idle: SimpleQueue[Connection] = SimpleQueue()

        def read(start: str, users: int) -> list[Profiles]:
            reader = idle.get()
            try:
                return self.page(reader, project, start, users, seen=seen)[0]
            finally:
                idle.put(reader)

        with ExitStack() as stack:
            for _ in range(READERS):
                reader = stack.enter_context(self.reading())
                reader.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                _read_in_order(reader)
                idle.put(reader)
            executor = ThreadPoolExecutor(READERS, "profiles")
            stack.callback(executor.shutdown, cancel_futures=True)
            yield lambda start, users: executor.submit(read, start, users)


def _read_in_order(connection: Connection) -> None:
    """Have the queries of a transaction read users by the index that has them in order."""
    connection.exec_driver_sql(load("postgresql")["read_in_order"])


def _last_id(connection: Connection, project: str, after: str, users: int) -> str | None:
    """Return the id of the last of so many users above an id, or None if there are fewer."""
    c = t.users.c
    query = select(c.user_id).where(c.project_id == project, c.user_id > after)
    last: str | None = connection.scalar(query.order_by(c.user_id).offset(users - 1).limit(1))
    return last

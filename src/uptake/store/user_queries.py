"""Queries for pages of users in columns, where the database joins the rows of many users.

Fetching a million users row by row would be slower than all other work on them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    LargeBinary,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
    union,
)

from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.database import BINARY, Database, batches_of
from uptake.store.profiles import Names
from uptake.store.stored import ProfilePages, Profiles, SeenUser

FIRST_PAGE = 500
"""Users of the first page; the next ones have as many as `PAGE_BYTES` allows."""

PAGE_BYTES = 4 << 20
"""Approximate limit of the attributes in a page: a few pages are in memory at a time."""

_NAMES = msgspec.json.Decoder(Names)


class SqlUserQueries(Database):
    """The port `UserQueries`, on SQL."""

    def users(self, project: str, prefix: str, after: str, limit: int) -> list[SeenUser]:
        """See `UserQueries.users`."""
        c = t.users.c
        start = c.user_id > after if after >= prefix else c.user_id >= prefix
        query = select(c.user_id, c.first_seen, c.last_seen).filter_by(project_id=project)
        with self.reading() as connection:
            rows = connection.execute(query.where(start).order_by(c.user_id).limit(limit))
            found = [SeenUser(*row) for row in rows]
        # Ids with the prefix are consecutive in the order of code points.
        return list(takewhile(lambda user: user.user_id.startswith(prefix), found))

    def profiles(self, project: str, after: str, limit: int, *, seen: bool) -> ProfilePages:
        """See `UserQueries.profiles`."""
        users = min(limit, FIRST_PAGE)
        with self.reading() as connection, self.scanning(connection):
            while True:
                page, after = self.page(connection, project, after, users, seen=seen)
                if not page:
                    return
                yield page
                users = next_size(users, page, limit)

    @contextmanager
    def scanning(self, connection: Connection) -> Iterator[None]:  # noqa: ARG002
        """Prepare a connection to read each row of a large table once."""
        yield

    def page(
        self, connection: Connection, project: str, after: str, users: int, *, seen: bool
    ) -> tuple[list[Profiles], str]:
        """Return the first `users` users above `after`, and the id of the last one."""
        c = t.users.c
        query = _users(project).order_by(c.user_id).where(c.user_id > after).limit(users)
        return self._joined(connection, project, query, seen=seen)

    def profiles_of(self, project: str, user_ids: Sequence[str]) -> list[Profiles]:
        """See `UserQueries.profiles_of`."""
        found = []
        with self.reading() as connection:
            for some in batches_of(user_ids):
                # Citus cannot combine these aggregates of several nodes. The limit has it read the
                # users before it aggregates them.
                users = _users(project).where(t.users.c.user_id.in_(some)).limit(len(some))
                found += self._joined(connection, project, users, seen=True)[0]
        return found

    def document_counts(
        self, project: str, document_type: str, since: int, user_ids: Sequence[str] | None
    ) -> dict[str, int]:
        """See `UserQueries.document_counts`."""
        d = t.documents.c
        query = (
            select(d.user_id, func.count().label("count"))
            .filter_by(project_id=project, type=document_type)
            .where(d.received_at >= since)
            .group_by(d.user_id)
        )
        found: dict[str, int] = {}
        with self.reading() as connection:
            if user_ids is None:
                return _counts(connection.execute(query))
            for some in batches_of(user_ids):
                found |= _counts(connection.execute(query.where(d.user_id.in_(some))))
        return found

    def users_with_samples(self, project: str, metric: Metric) -> list[str]:
        """See `UserQueries.users_with_samples`."""
        key = {"project_id": project, "metric": metric}
        query = union(
            *(select(c.user_id).filter_by(**key) for c in (t.sample_batches.c, t.sample_blocks.c))
        )
        with self.reading() as connection:
            return list(connection.scalars(query))

    def _joined(
        self, connection: Connection, project: str, users: Select[Any], *, seen: bool
    ) -> tuple[list[Profiles], str]:
        """Run a query of users, with one row for all users with the same names.

        Returns:
            The rows, and the last id in order of code points.
        """
        u = users.subquery()
        if connection.dialect.name == "postgresql":
            array, texts = func.json_agg, func.string_agg(u.c.attributes, literal(b","))
            ids = func.string_agg(func.convert_to(u.c.user_id, "UTF8"), literal(b"\0"))
        else:
            array, texts = func.json_group_array, func.group_concat(u.c.attributes)
            ids = func.group_concat(u.c.user_id, func.char(0))
        joined = select(
            u.c.names,
            cast(ids, LargeBinary).label("user_ids"),
            func.max(u.c.user_id).label("last"),
            *(
                (cast(array(u.c[name]), Text) if seen else literal("")).label(name)
                for name in ("first_seen", "last_seen")
            ),
            cast(texts, LargeBinary).label("attributes"),
        )
        group = joined.group_by(u.c.names).subquery()
        same_names = and_(
            t.attribute_names.c.project_id == project,
            t.attribute_names.c.digest == group.c.names,
        )
        query = select(
            t.attribute_names.c.names,
            group.c.user_ids,
            group.c.last,
            group.c.first_seen,
            group.c.last_seen,
            group.c.attributes,
        ).outerjoin_from(group, t.attribute_names, same_names)
        rows = connection.execute(query, execution_options={BINARY: True}).all()
        page = [
            Profiles(
                None if row.names is None else _NAMES.decode(row.names),
                row.user_ids,
                row.first_seen.encode(),
                row.last_seen.encode(),
                b"[%b]" % row.attributes,
            )
            for row in rows
        ]
        return page, max((row.last for row in rows), default="")


def next_size(users: int, page: list[Profiles], limit: int) -> int:
    """Return how many users a page may have after a page with so many, of at most `limit`."""
    size = sum(len(one.values) for one in page)
    return max(1, min(limit, users * PAGE_BYTES // size))


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    return {row.user_id: row.count for row in rows}


def _users(project: str) -> Select[Any]:
    c = t.users.c
    return select(
        c.user_id,
        c.first_seen,
        c.last_seen,
        c.names,
        # NULL for users without attributes.
        func.coalesce(c.attributes, literal(b"{}", LargeBinary)).label("attributes"),
    ).where(c.project_id == project)

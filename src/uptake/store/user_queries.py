"""Queries for pages of users in columns, where the database joins the rows of many users.

Fetching a million users row by row would be slower than all other work on them.
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

import msgspec
from sqlalchemy import LargeBinary, Select, Text, and_, cast, func, literal, select

from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.database import Database, batches_of
from uptake.store.profiles import Names
from uptake.store.stored import Profiles, SeenUser

_IDS = msgspec.json.Decoder(list[str])
_MOMENTS = msgspec.json.Decoder(list[int])
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

    def profiles(self, project: str, after: str, limit: int) -> list[Profiles]:
        """See `UserQueries.profiles`."""
        users = _users(project).where(t.users.c.user_id > after)
        return self._joined(project, users.order_by(t.users.c.user_id).limit(limit))

    def profiles_of(self, project: str, user_ids: Sequence[str]) -> list[Profiles]:
        """See `UserQueries.profiles_of`."""
        found = []
        for some in batches_of(user_ids):
            found += self._joined(project, _users(project).where(t.users.c.user_id.in_(some)))
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
        user_id = t.sample_batches.c.user_id
        query = select(user_id).filter_by(project_id=project, metric=metric).distinct()
        with self.reading() as connection:
            return list(connection.scalars(query))

    def _joined(self, project: str, users: Select[Any]) -> list[Profiles]:
        """Run a query of users, with one row for all users with the same names."""
        u = users.subquery()
        if self.engine.dialect.name == "postgresql":
            array, texts = func.json_agg, func.string_agg(u.c.attributes, literal(b","))
        else:
            array, texts = func.json_group_array, func.group_concat(u.c.attributes)
        joined = select(
            u.c.names,
            cast(array(u.c.user_id), Text).label("user_ids"),
            cast(array(u.c.first_seen), Text).label("first_seen"),
            cast(array(u.c.last_seen), Text).label("last_seen"),
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
            group.c.first_seen,
            group.c.last_seen,
            group.c.attributes,
        ).outerjoin_from(group, t.attribute_names, same_names)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Profiles(
                None if names is None else _NAMES.decode(names),
                _IDS.decode(user_ids),
                _MOMENTS.decode(first_seen),
                _MOMENTS.decode(last_seen),
                b"[%b]" % attributes,
            )
            for names, user_ids, first_seen, last_seen, attributes in rows
        ]


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

"""Queries for the items of users."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.database import Database
from uptake.store.profiles import attributes_of
from uptake.store.sample_blocks import BATCH, BLOCK
from uptake.store.stored import (
    DocumentFilter,
    Span,
    StoredBatch,
    StoredDocument,
    StoredImage,
    User,
)

_DOCUMENT = [t.documents.c[name] for name in StoredDocument.__struct_fields__]
IMAGE = [t.images.c[name] for name in StoredImage.__struct_fields__]
"""The columns of a `StoredImage`."""


# These are made once: making one is slower than running it.
_PARAMETERS = ("project", "user_id", "metric", "start", "end")
_BOUND: list[Any] = [bindparam(name) for name in _PARAMETERS]
_PROJECT, _USER, _METRIC, _START, _END = _BOUND
_HAS_USER = select(t.users.c.revision).filter_by(project_id=_PROJECT, user_id=_USER)


def _count_of(table: Any) -> Any:
    query = select(func.count()).select_from(table)
    return query.filter_by(project_id=_PROJECT, user_id=_USER).scalar_subquery()


_GET_USER = (
    select(
        t.users.c.user_id,
        t.users.c.attributes,
        t.attribute_names.c.names,
        t.users.c.first_seen,
        t.users.c.last_seen,
        _count_of(t.documents).label("documents"),
        _count_of(t.images).label("images"),
    )
    .outerjoin_from(t.users, t.attribute_names, t.names_of_users)
    .where(t.users.c.project_id == _PROJECT, t.users.c.user_id == _USER)
)


def _spans_of(c: Any, count: Any) -> Select[Any]:
    query = select(c.metric, c.first, c.last, count, c.sequence)
    query = query.filter_by(project_id=_PROJECT, user_id=_USER)
    return query.order_by(c.metric, c.first, c.sequence)


_B, _BLOCKS = t.sample_batches.c, t.sample_blocks.c
_SPANS = _spans_of(_B, _B.count), _spans_of(_BLOCKS, _BLOCKS.samples)
_SPANS_OF_METRIC = _SPANS[0].where(_B.metric == _METRIC), _SPANS[1].where(_BLOCKS.metric == _METRIC)
_OWN = {"project_id": _PROJECT, "user_id": _USER, "metric": _METRIC}
_OVERLAPPING = (
    select(*BATCH).filter_by(**_OWN).where(_B.first <= _END),
    select(*BLOCK).filter_by(**_OWN).where(_BLOCKS.first <= _END, _BLOCKS.until >= _START),
)
_STARTING = (
    _OVERLAPPING[0].where(_B.last >= _START),
    # The index has `until`, which is `last` or later.
    _OVERLAPPING[1].where(_BLOCKS.last >= _START),
)


class SqlItemQueries(Database):
    """The ports `ItemQueries` and `BatchQueries`, on SQL."""

    def user(self, project: str, user_id: str) -> User | None:
        """See `ItemQueries.user`."""
        with self.reading() as connection:
            user = {"project": project, "user_id": user_id}
            row = connection.execute(_GET_USER, user).one_or_none()
        return None if row is None else _user(row)

    def has_user(self, project: str, user_id: str) -> bool:
        """See `ItemQueries.has_user`."""
        with self.reading() as connection:
            user = {"project": project, "user_id": user_id}
            return connection.scalar(_HAS_USER, user) is not None

    def spans(
        self, project: str, user_id: str, metric: Metric | None = None, limit: int | None = None
    ) -> list[Span]:
        """See `BatchQueries.spans`."""
        values = {"project": project, "user_id": user_id, "metric": metric}
        with self.reading() as connection:
            rows = [
                row
                for query in (_SPANS if metric is None else _SPANS_OF_METRIC)
                for row in connection.execute(query.limit(limit), values).all()
            ]
        rows.sort(key=itemgetter(0, 1, 4))
        return [Span(*row) for row in rows[:limit]]

    def batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[StoredBatch]:
        """See `BatchQueries.batches`."""
        return self._samples(_STARTING, (project, user_id, metric, start, end))

    def overlapping_batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[StoredBatch]:
        """See `BatchQueries.overlapping_batches`."""
        return self._samples(_OVERLAPPING, (project, user_id, metric, start, end))

    def _samples(
        self, queries: Sequence[Select[Any]], values: tuple[str, str, str, int, int]
    ) -> list[StoredBatch]:
        parameters = dict(zip(_PARAMETERS, values, strict=True))
        with self.reading() as connection:
            found = [
                StoredBatch(*row)
                for query in queries
                for row in connection.execute(query, parameters).all()
            ]
        return sorted(found, key=attrgetter("sequence"))

    def document(self, project: str, upload_id: str) -> StoredDocument | None:
        """See `ItemQueries.document`."""
        owner = select(t.uploads.c.user_id).filter_by(project_id=project, upload_id=upload_id)
        with self.reading() as connection:
            user_id = connection.scalar(owner)
            if user_id is None:
                return None
            query = select(*_DOCUMENT).filter_by(
                project_id=project, user_id=user_id, upload_id=upload_id
            )
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredDocument(*row)

    def documents(
        self, project: str, user_id: str, only: DocumentFilter, after: str, limit: int
    ) -> list[StoredDocument]:
        """See `ItemQueries.documents`."""
        d = t.documents.c
        query = select(*_DOCUMENT).filter_by(project_id=project, user_id=user_id)
        if only.type is not None:
            query = query.where(d.type == only.type)
        if only.since is not None:
            query = query.where(d.received_at >= only.since)
        if only.until is not None:
            query = query.where(d.received_at < only.until)
        query = query.where(d.upload_id > after).order_by(d.upload_id).limit(limit)
        with self.reading() as connection:
            return [StoredDocument(*row) for row in connection.execute(query)]

    def images(self, project: str, user_id: str, after: int, limit: int) -> list[StoredImage]:
        """See `ItemQueries.images`."""
        query = (
            select(*IMAGE)
            .filter_by(project_id=project, user_id=user_id)
            .where(t.images.c.image_id > after)
            .order_by(t.images.c.image_id)
            .limit(limit)
        )
        with self.reading() as connection:
            return [StoredImage(*row) for row in connection.execute(query)]

    def image(self, name: str) -> StoredImage | None:
        """See `ItemQueries.image`."""
        n = t.image_names.c
        with self.reading() as connection:
            address = select(n.project_id, n.user_id, n.image_id).filter_by(name=name)
            key = connection.execute(address).mappings().one_or_none()
            if key is None:
                return None
            row = connection.execute(select(*IMAGE).filter_by(**key)).one_or_none()
        return None if row is None else StoredImage(*row)


def _user(row: Any) -> User:
    attributes = attributes_of(row.attributes, row.names)
    return User(row.user_id, attributes, row.first_seen, row.last_seen, row.documents, row.images)

"""Queries for the items of users."""

from typing import Any

from sqlalchemy import func, select

from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.database import Database
from uptake.store.profiles import attributes_of
from uptake.store.stored import (
    DocumentFilter,
    Span,
    StoredDocument,
    StoredImage,
    User,
)

_DOCUMENT = [t.documents.c[name] for name in StoredDocument.__struct_fields__]
_IMAGE = [t.images.c[name] for name in StoredImage.__struct_fields__]


class SqlItemQueries(Database):
    """The port `ItemQueries`, on SQL."""

    def user(self, project: str, user_id: str) -> User | None:
        """See `ItemQueries.user`."""
        key = {"project_id": project, "user_id": user_id}

        def count(table: Any) -> Any:
            return select(func.count()).select_from(table).filter_by(**key).scalar_subquery()

        query = select(
            t.users.c.user_id,
            t.users.c.attributes,
            t.attribute_names.c.names,
            t.users.c.first_seen,
            t.users.c.last_seen,
            count(t.documents).label("documents"),
            count(t.images).label("images"),
        )
        query = query.outerjoin_from(t.users, t.attribute_names, t.names_of_users).where(
            t.users.c.project_id == project, t.users.c.user_id == user_id
        )
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _user(row)

    def spans(self, project: str, user_id: str, limit: int | None = None) -> list[Span]:
        """See `ItemQueries.spans`."""
        b = t.sample_batches.c
        query = (
            select(b.metric, b.first, b.last, b.count, b.sequence)
            .filter_by(project_id=project, user_id=user_id)
            .order_by(b.metric, b.first, b.sequence)
            .limit(limit)
        )
        with self.reading() as connection:
            return [Span(*row) for row in connection.execute(query)]

    def batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[bytes]:
        """See `ItemQueries.batches`."""
        b = t.sample_batches.c
        query = (
            select(b["columns"])
            .filter_by(project_id=project, user_id=user_id, metric=metric)
            .where(b.first <= end, b.last >= start)
            .order_by(b.sequence)
        )
        with self.reading() as connection:
            return list(connection.scalars(query))

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
            select(*_IMAGE)
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
            row = connection.execute(select(*_IMAGE).filter_by(**key)).one_or_none()
        return None if row is None else StoredImage(*row)


def _user(row: Any) -> User:
    attributes = attributes_of(row.attributes, row.names)
    return User(row.user_id, attributes, row.first_seen, row.last_seen, row.documents, row.images)

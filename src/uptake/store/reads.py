"""What is kept, read back."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import func, select

from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.base import MAX_RECEIPTS
from uptake.store.database import Database
from uptake.store.profiles import READ_AT_ONCE, attributes_of
from uptake.store.receipts import receipt_from
from uptake.store.sql_snapshot import SqlSnapshot, rejection_of
from uptake.store.stored import (
    ALL_REJECTIONS,
    RejectionFilter,
    Span,
    StoredDocument,
    StoredImage,
    StoredReceipt,
    StoredRejection,
    User,
)

_IMAGE = [t.images.c[name] for name in StoredImage.__struct_fields__]


class Reads(Database):
    """The reading half of the port `Items`, on SQL."""

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
            query = select(
                *(t.documents.c[name] for name in StoredDocument.__struct_fields__)
            ).filter_by(project_id=project, user_id=user_id, upload_id=upload_id)
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredDocument(*row)

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

    def rejections(
        self, project: str, after: str, limit: int, only: RejectionFilter = ALL_REJECTIONS
    ) -> list[StoredRejection]:
        """See `RejectionQueries.rejections`."""
        r = t.rejections.c
        found = (
            select(r.rejection_id)
            .distinct()
            .filter_by(project_id=project)
            .where(r.rejection_id > after, *_conditions(only))
            .order_by(r.rejection_id)
            .limit(limit)
        )
        rows = select(t.rejections).filter_by(project_id=project)
        if only.user_id is not None:
            rows = rows.where(r.user_id == only.user_id)
        rows = rows.order_by(r.rejection_id, r.user_id)
        kept: list[StoredRejection] = []
        with self.reading() as connection:
            ids = list(connection.scalars(found))
            for start in range(0, len(ids), READ_AT_ONCE):
                some = rows.where(r.rejection_id.in_(ids[start : start + READ_AT_ONCE]))
                kept += _rejections(connection.execute(some).mappings())
        return kept

    @contextmanager
    def snapshot(self, project: str) -> Iterator[SqlSnapshot]:
        """See `Snapshots.snapshot`."""
        with self.reading() as connection:
            yield SqlSnapshot(connection, project)

    def rejection(self, project: str, rejection_id: str) -> StoredRejection | None:
        """See `RejectionQueries.rejection`."""
        query = select(t.rejections).filter_by(project_id=project, rejection_id=rejection_id)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(t.rejections.c.user_id)).mappings()
            return next(_rejections(rows), None)

    def receipts(self, project: str, request_id: str) -> list[StoredReceipt]:
        """See `RejectionQueries.receipts`."""
        query = (
            select(t.receipts)
            .filter_by(project_id=project, request_id=request_id)
            .order_by(t.receipts.c.received_at.desc(), t.receipts.c.place.desc())
            .limit(MAX_RECEIPTS)
        )
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [receipt_from(dict(row)) for row in reversed(rows)]


def _user(row: Any) -> User:
    attributes = attributes_of(row.attributes, row.names)
    return User(row.user_id, attributes, row.first_seen, row.last_seen, row.documents, row.images)


def _rejections(rows: Iterable[Any]) -> Iterator[StoredRejection]:
    """Rejections from their rows, those of one rejection after each other."""
    for _, of_one in groupby(rows, itemgetter("rejection_id")):
        yield rejection_of(*map(dict, of_one))


def _conditions(only: RejectionFilter) -> Iterator[Any]:
    r = t.rejections.c
    for name in ("format", "key_id", "user_id", "request_id"):
        if (wanted := getattr(only, name)) is not None:
            yield r[name] == wanted
    if only.code is not None:
        # Codes are plain words, and a quote inside of a message is escaped.
        yield r.faults.contains(f'{{"code":"{only.code}"', autoescape=True)
    if only.since is not None:
        yield r.received_at >= only.since
    if only.until is not None:
        yield r.received_at < only.until
    if only.resolved is not None:
        yield r.resolved_by.is_not(None) if only.resolved else r.resolved_by.is_(None)

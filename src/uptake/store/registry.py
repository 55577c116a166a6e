"""Secrets, projects, document types and segments."""

from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy import Connection, func, select

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.store import tables as t
from uptake.store.audit import record
from uptake.store.base import AlreadyExists
from uptake.store.database import Database, delete_all, may_touch_none
from uptake.store.definitions import DocumentType, Project, Segment, TypeVersion
from uptake.store.stored import VersionStock

_TYPE = [t.document_types.c[name] for name in DocumentType.__struct_fields__]
_SEGMENT = [t.segments.c[name] for name in Segment.__struct_fields__]


class SqlInstallation(Database):
    """The port `Installation`, and `user_hash`, on SQL."""

    _secrets: Secrets | None = None

    def secrets(self) -> Secrets:
        """See `Installation.secrets`."""
        if self._secrets is None:
            with self.reading() as connection:
                self._secrets = _read_secrets(connection)
        return self._secrets

    def user_hash(self, user_id: str) -> str:
        """See `ChangeFeed.user_hash`."""
        return ids.user_hash(self.secrets().user_hash, user_id)

    def claim(self, name: str, now: int, until: int) -> bool:
        """See `Maintenance.claim`."""
        insert = self.insert(t.claims).values(name=name, until=until)
        statement = insert.on_conflict_do_update(
            index_elements=["name"], set_={"until": until}, where=t.claims.c.until <= now
        )
        with self.writing() as connection:
            taken = connection.scalar(statement.returning(t.claims.c.name))
        return taken is not None

    def ping(self) -> None:
        """See `Installation.ping`."""
        with self.reading() as connection:
            connection.execute(select(t.projects.c.name).limit(1))

    def close(self) -> None:
        """See `Installation.close`."""
        self.dispose()


class SqlRegistry(SqlInstallation):
    """The ports `Projects`, `DocumentTypeRegistry` and `SegmentRegistry`, on SQL."""

    def add_project(self, name: str, created_at: int) -> None:
        """See `Projects.add_project`."""
        try:
            with self.writing() as connection:
                connection.execute(
                    self.insert(t.projects), {"name": name, "created_at": created_at}
                )
                record(connection, name, "project.create", name)
        except sqlalchemy.exc.IntegrityError:
            raise AlreadyExists(name) from None

    def projects(self) -> list[str]:
        """See `Projects.projects`."""
        with self.reading() as connection:
            return list(connection.scalars(select(t.projects.c.name).order_by(t.projects.c.name)))

    def project(self, name: str) -> Project | None:
        """See `Projects.project`."""
        query = select(t.projects.c.name, t.projects.c.created_at).filter_by(name=name)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Project(*row)

    def projects_after(self, after: str, limit: int) -> list[Project]:
        """See `Projects.projects_after`."""
        name = t.projects.c.name
        query = select(name, t.projects.c.created_at).where(name > after)
        with self.reading() as connection:
            found = connection.execute(query.order_by(name).limit(limit))
            return [Project(*row) for row in found]

    def add_type_version(
        self, project: str, name: str, version: TypeVersion
    ) -> DocumentType | None:
        """See `DocumentTypeRegistry.add_type_version`."""
        key = {"project_id": project, "name": name}
        row = key | msgspec.structs.asdict(version)
        add = may_touch_none(self.insert(t.type_versions).values(row).on_conflict_do_nothing())
        put = self.insert(t.document_types).values(row)
        changed = {"schema": put.excluded.schema, "version": put.excluded.version}
        put = put.on_conflict_do_update(index_elements=list(key), set_=changed)
        known = select(t.type_versions.c.version).filter_by(**key, version=version.version)
        with self.writing() as connection:
            if connection.scalar(add.returning(t.type_versions.c.version)) is None:
                # Without that version, the insert was dropped: `one` raises.
                connection.execute(known).one()
                return None
            stored = DocumentType(*connection.execute(put.returning(*_TYPE)).one())
            record(connection, project, "document_type.put", name, version=stored.version)
        return stored

    def type_versions(self, project: str, name: str, after: int, limit: int) -> list[TypeVersion]:
        """See `DocumentTypeRegistry.type_versions`."""
        v = t.type_versions.c
        query = (
            select(v.version, v.schema, v.created_at)
            .filter_by(project_id=project, name=name)
            .where(v.version > after)
            .order_by(v.version)
            .limit(limit)
        )
        with self.reading() as connection:
            return [TypeVersion(*row) for row in connection.execute(query)]

    def document_type(self, project: str, name: str) -> DocumentType | None:
        """See `DocumentTypeRegistry.document_type`."""
        query = select(*_TYPE).filter_by(project_id=project, name=name)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else DocumentType(*row)

    def document_types(
        self, project: str, after: str = "", limit: int | None = None
    ) -> list[DocumentType]:
        """See `DocumentTypeRegistry.document_types`."""
        name = t.document_types.c.name
        query = select(*_TYPE).filter_by(project_id=project).where(name > after)
        query = query.order_by(name).limit(limit)
        with self.reading() as connection:
            return [DocumentType(*row) for row in connection.execute(query)]

    def document_versions(self, project: str, document_type: str) -> list[VersionStock]:
        """See `DocumentTypeRegistry.document_versions`."""
        d = t.documents.c
        received = func.min(d.received_at), func.max(d.received_at)
        query = (
            select(d.version, func.count(), *received)
            .filter_by(project_id=project, type=document_type)
            .group_by(d.version)
            .order_by(d.version)
        )
        with self.reading() as connection:
            return [VersionStock(*row) for row in connection.execute(query)]

    def put_segment(self, project: str, segment: Segment) -> Segment:
        """See `SegmentRegistry.put_segment`."""
        row = msgspec.structs.asdict(segment) | {"project_id": project}
        statement = self.insert(t.segments).values(row)
        excluded = statement.excluded
        stored = statement.on_conflict_do_update(
            index_elements=["project_id", "name"],
            set_={"filter": excluded.filter, "changed_at": excluded.changed_at},
        ).returning(*_SEGMENT)
        with self.writing() as connection:
            put = Segment(*connection.execute(stored).one())
            record(connection, project, "segment.put", segment.name)
        return put

    def segment(self, project: str, name: str) -> Segment | None:
        """See `SegmentRegistry.segment`."""
        query = select(*_SEGMENT).filter_by(project_id=project, name=name)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Segment(*row)

    def segments(self, project: str, after: str, limit: int) -> list[Segment]:
        """See `SegmentRegistry.segments`."""
        name = t.segments.c.name
        query = select(*_SEGMENT).filter_by(project_id=project).where(name > after)
        with self.reading() as connection:
            return [Segment(*row) for row in connection.execute(query.order_by(name).limit(limit))]

    def delete_segment(self, project: str, name: str) -> bool:
        """See `SegmentRegistry.delete_segment`."""
        s = t.segments.c
        with self.writing() as connection:
            found = delete_all(connection, t.segments, s.project_id == project, s.name == name) > 0
            if found:
                record(connection, project, "segment.delete", name)
        return found


def _read_secrets(connection: Connection) -> Secrets:
    found: dict[str, Any] = {
        row.name: row.value
        for row in connection.execute(select(t.secrets.c.name, t.secrets.c.value))
    }
    return Secrets(**{name: bytes(found[name]) for name in Secrets.__struct_fields__})

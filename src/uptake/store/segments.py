"""Segments by name, on SQL."""

from sqlalchemy import select

from uptake.store import tables as t
from uptake.store.database import Database, delete_all
from uptake.store.definitions import Segment

_SEGMENT = [t.segments.c[name] for name in Segment.__struct_fields__]


class SqlSegments(Database):
    """What the port `Registry` says of segments, on SQL."""

    def put_segment(self, project: str, segment: Segment) -> Segment:
        """See `SegmentRegistry.put_segment`."""
        statement = self.insert(t.segments).values(
            project_id=project,
            name=segment.name,
            filter=segment.filter,
            created_at=segment.created_at,
            changed_at=segment.changed_at,
        )
        told = statement.excluded
        kept = statement.on_conflict_do_update(
            index_elements=["project_id", "name"],
            set_={"filter": told.filter, "changed_at": told.changed_at},
        ).returning(*_SEGMENT)
        with self.writing() as connection:
            return Segment(*connection.execute(kept).one())

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
            return delete_all(connection, t.segments, s.project_id == project, s.name == name) > 0

"""The stored members of segments that webhooks receive events of."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select

from uptake.store import tables as t
from uptake.store.database import batches_of, check_count, delete_all, may_touch_none
from uptake.store.erasures import SqlErasures
from uptake.store.events import add_events
from uptake.store.member_tables import segment_members, segment_watches
from uptake.store.webhook_ports import SEGMENT_ENTERED, SEGMENT_LEFT, SegmentWatch

_WATCH = [segment_watches.c[name] for name in SegmentWatch.__struct_fields__]


class SqlSegmentWatches(SqlErasures):
    """The port `SegmentWatches`, on SQL."""

    def segment_watches(self, project: str) -> list[SegmentWatch]:
        """See `SegmentWatches.segment_watches`."""
        query = select(*_WATCH).filter_by(project_id=project).order_by(segment_watches.c.segment)
        with self.reading() as connection:
            return [SegmentWatch(*row) for row in connection.execute(query)]

    def put_segment_watch(self, project: str, watch: SegmentWatch) -> None:
        """See `SegmentWatches.put_segment_watch`."""
        values = {name: getattr(watch, name) for name in SegmentWatch.__struct_fields__}
        statement = self.insert(segment_watches).values(project_id=project, **values)
        del values["segment"]
        key = ["project_id", "segment"]
        with self.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values))

    def drop_segment_watch(self, project: str, segment: str) -> None:
        """See `SegmentWatches.drop_segment_watch`."""
        with self.writing() as connection:
            for table in (segment_watches, segment_members):
                own = table.c.project_id == project, table.c.segment == segment
                delete_all(connection, table, *own)
            self.note_deletion()

    def watched_projects(self) -> list[str]:
        """See `SegmentWatches.watched_projects`."""
        with self.reading() as connection:
            return list(connection.scalars(select(segment_watches.c.project_id).distinct()))

    def stored_members(self, project: str, segment: str, after: str, limit: int) -> list[str]:
        """See `SegmentWatches.stored_members`."""
        user_id = segment_members.c.user_id
        query = select(user_id).filter_by(project_id=project, segment=segment)
        query = query.where(user_id > after).order_by(user_id).limit(limit)
        with self.reading() as connection:
            return list(connection.scalars(query))

    def stored_members_among(self, project: str, segment: str, user_ids: Sequence[str]) -> set[str]:
        """See `SegmentWatches.stored_members_among`."""
        user_id = segment_members.c.user_id
        query = select(user_id).filter_by(project_id=project, segment=segment)
        found: set[str] = set()
        with self.reading() as connection:
            for some in batches_of(user_ids):
                found.update(connection.scalars(query.where(user_id.in_(some))))
        return found

    def change_members(
        self,
        project: str,
        segment: str,
        entered: Sequence[str],
        left: Sequence[str],
        *,
        notify: bool,
    ) -> None:
        """See `SegmentWatches.change_members`."""
        m, u = segment_members.c, t.users.c
        key = {"project_id": project, "segment": segment}
        new: list[str] = []
        gone: list[str] = []
        with self.writing() as connection:
            # No user of the project is erased until the transaction ends.
            self.tombstone_changes(self.writer(connection), [project])
            for some in batches_of(entered):
                exist = select(u.user_id).where(u.project_id == project, u.user_id.in_(some))
                rows = [{**key, "user_id": one} for one in connection.scalars(exist)]
                if rows:
                    new += self._add(connection, rows, notify=notify)
                    named = m.user_id.in_([row["user_id"] for row in rows])
                    own = m.project_id == project, m.segment == segment, named
                    count = connection.scalar(select(func.count()).where(*own)) or 0
                    check_count("INSERT INTO segment_members", count, len(rows))
            for some in batches_of(left):
                own = m.project_id == project, m.segment == segment, m.user_id.in_(some)
                removed = delete(segment_members).where(*own).returning(m.user_id)
                gone += connection.scalars(removed)
                # Deletes none; raises if some are still stored.
                delete_all(connection, segment_members, *own)
            if notify:
                for event, users in ((SEGMENT_ENTERED, new), (SEGMENT_LEFT, gone)):
                    if users:
                        items = [(one, _data(one, segment)) for one in sorted(users)]
                        add_events(connection, project, event, items, segment)

    def _add(
        self, connection: Connection, rows: Sequence[dict[str, Any]], *, notify: bool
    ) -> list[str]:
        """Insert members one by one, so that each is written on one node. Returns the new ones."""
        add = may_touch_none(self.insert(segment_members).on_conflict_do_nothing())
        if not notify:
            connection.execute(add, rows)
            return []
        added = add.returning(segment_members.c.user_id)
        return [one for row in rows for one in connection.scalars(added, row)]


def _data(user_id: str, segment: str) -> dict[str, Any]:
    return {"user_id": user_id, "segment": segment}

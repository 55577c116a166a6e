"""Rejections from before their users were looked for, which an upgrade marks; on SQL."""

from collections.abc import Sequence

from sqlalchemy import select, update

from uptake.store import tables as t
from uptake.store.database import delete_all
from uptake.store.erasing import Erasing, Tombstones
from uptake.store.records import Entry, RejectionRecord
from uptake.store.sql_snapshot import rejection_of
from uptake.store.stored import StoredRejection
from uptake.store.writes import Group, Statements

UNEXAMINED = "null"
"""The `parts` of such a rejection, as migration 0002 writes them."""


class Examining(Erasing):
    """The part of the port `Items` that finds users for these rejections."""

    _statements: Statements
    _tombstones: Tombstones

    def unexamined(self, project: str, limit: int) -> list[StoredRejection]:
        """See `Maintenance.unexamined`."""
        query = select(t.rejections).filter_by(project_id=project, user_id="", parts=UNEXAMINED)
        with self.reading() as connection:
            rows = connection.execute(query.limit(limit)).mappings().all()
        return [rejection_of(dict(row)) for row in rows]

    def put_examined(
        self, project: str, kept: StoredRejection, records: Sequence[RejectionRecord]
    ) -> None:
        """See `Maintenance.put_examined`."""
        c, statements = t.rejections.c, self._statements
        this = c.project_id == project, c.rejection_id == kept.record.rejection_id, c.user_id == ""
        entry = Entry(project, kept.request_id, kept.received_at, rejections=tuple(records))
        with self.writing() as connection:
            changes = self.tombstone_changes(connection, {project})
            group = Group([entry], self._tombstones.among(connection, [entry], changes))
            statements.begin.run(connection, [{"lane": statements.lane, "number": 1}])
            delete_all(connection, t.rejections, *this)
            statements.add_rejections.run(connection, group.rejections)
            if kept.resolved_by is not None and group.rejections:
                users = c.user_id.in_([row["user_id"] for row in group.rejections])
                again = c.project_id == project, users, c.rejection_id == kept.record.rejection_id
                connection.execute(
                    update(t.rejections).where(*again).values(resolved_by=kept.resolved_by)
                )

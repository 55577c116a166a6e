"""Rejections from before their users were looked for, which an upgrade marks; on SQL."""

from collections.abc import Sequence

from sqlalchemy import select, update

from uptake.store import tables as t
from uptake.store.database import delete_all
from uptake.store.erasing import Erasing, Tombstones
from uptake.store.records import Entry, RejectionRecord
from uptake.store.sql_snapshot import rejection_of
from uptake.store.stored import StoredRejection
from uptake.store.writes import Group

UNEXAMINED = "null"
"""The `parts` of such a rejection, as migration 0002 writes them."""


class Examining(Erasing):
    """The part of the port `Items` that finds users for these rejections."""

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
        c = t.rejections.c
        this = c.project_id == project, c.rejection_id == kept.record.rejection_id, c.user_id == ""
        entry = Entry(project, kept.request_id, kept.received_at, rejections=tuple(records))
        with self.writing() as connection:
            writer = self.writer(connection)
            changes = self.tombstone_changes(writer, {project})
            tombstones = self._tombstones.known({project})
            self._tombstones.update(connection, tombstones, changes)
            group = Group([entry], self._tombstones.among(tombstones, [entry]))
            writer.take_commit_number()
            delete_all(connection, t.rejections, *this)
            writer.run("add_rejections", group.rejections)
            if kept.resolved_by is not None and group.rejections:
                users = c.user_id.in_([row["user_id"] for row in group.rejections])
                again = c.project_id == project, users, c.rejection_id == kept.record.rejection_id
                connection.execute(
                    update(t.rejections).where(*again).values(resolved_by=kept.resolved_by)
                )

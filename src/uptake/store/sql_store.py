"""A store on SQL; a module for each engine has the differences."""

from collections.abc import Sequence

from sqlalchemy import Engine, select, update

from uptake.store import tables as t
from uptake.store.audit import SqlAuditLog
from uptake.store.changes import SqlChangeFeed
from uptake.store.console_tokens import SqlConsoleTokens
from uptake.store.database import delete_all
from uptake.store.deletions import SqlDeletions
from uptake.store.folding import SqlFolding
from uptake.store.group import Group
from uptake.store.image_queries import SqlNumberedImages
from uptake.store.issuers import SqlIssuers
from uptake.store.item_queries import SqlItemQueries
from uptake.store.keys import SqlKeys
from uptake.store.maintenance_mode import SqlMaintenanceMode
from uptake.store.new_requests import SqlNewRequests
from uptake.store.outbox import SqlOutbox
from uptake.store.receipts import SqlReceipts
from uptake.store.records import Entry, RejectionRecord
from uptake.store.registration import SqlRegistration
from uptake.store.registry import SqlRegistry
from uptake.store.rejections import SqlRejectionQueries, rejection_of
from uptake.store.request_counts import SqlRequestCounts
from uptake.store.request_queries import SqlRequests
from uptake.store.retention import SqlRetention
from uptake.store.segment_members import SqlSegmentWatches
from uptake.store.snapshots import SqlSnapshots
from uptake.store.stored import StoredRejection
from uptake.store.user_queries import SqlUserQueries
from uptake.store.webhooks import SqlWebhooks
from uptake.store.writes import SqlCommits

UNEXAMINED = "null"
"""The `parts` of a rejection of an earlier version, as migration 0002 writes them."""


class SqlStore(
    SqlCommits,
    SqlReceipts,
    SqlRequests,
    SqlNewRequests,
    SqlRequestCounts,
    SqlItemQueries,
    SqlNumberedImages,
    SqlRejectionQueries,
    SqlUserQueries,
    SqlChangeFeed,
    SqlSnapshots,
    SqlRetention,
    SqlDeletions,
    SqlFolding,
    SqlRegistry,
    SqlKeys,
    SqlConsoleTokens,
    SqlMaintenanceMode,
    SqlRegistration,
    SqlIssuers,
    SqlOutbox,
    SqlWebhooks,
    SqlSegmentWatches,
    SqlAuditLog,
):
    """All ports, on any engine with the tables of `tables`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # Read now: callers of `user_hash` may be on the event loop.
        self.secrets()

    def unexamined_rejections(self, project: str, limit: int) -> list[StoredRejection]:
        """See `Maintenance.unexamined_rejections`."""
        query = select(t.rejections).filter_by(project_id=project, user_id="", parts=UNEXAMINED)
        with self.reading() as connection:
            rows = connection.execute(query.limit(limit)).mappings().all()
        return [rejection_of(dict(row)) for row in rows]

    def replace_unexamined(
        self, project: str, rejection: StoredRejection, records: Sequence[RejectionRecord]
    ) -> None:
        """See `Maintenance.replace_unexamined`."""
        c = t.rejections.c
        same = c.project_id == project, c.rejection_id == rejection.record.rejection_id
        request = project, rejection.request_id, rejection.received_at
        entry = Entry(*request, rejections=tuple(records))
        with self.writing() as connection:
            writer = self.writer(connection)
            changes = self.tombstone_changes(writer, {project})
            tombstones = self._tombstones.known({project})
            self._tombstones.update(connection, tombstones, changes)
            group = Group([entry], self._tombstones.among(tombstones, [entry]))
            writer.take_commit_number()
            delete_all(connection, t.rejections, *same, c.user_id == "")
            writer.run("add_rejections", group.rejections)
            if rejection.resolved_by is not None and group.rejections:
                users = c.user_id.in_([row["user_id"] for row in group.rejections])
                replay = {"resolved_by": rejection.resolved_by}
                connection.execute(update(t.rejections).where(*same, users).values(replay))

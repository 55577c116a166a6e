"""Maintenance mode: whether uploads are paused on all nodes."""

from sqlalchemy import BigInteger, Column, Table, select

from uptake.store.audit import record
from uptake.store.database import Database, delete_all, may_touch_none
from uptake.store.tables import String, metadata

maintenance_mode = Table(
    "maintenance_mode",
    metadata,
    # Has a row while maintenance mode is on.
    Column("name", String, primary_key=True),
    Column("since", BigInteger, nullable=False),
)

_UPLOADS = "uploads"
_SINCE = select(maintenance_mode.c.since)


class SqlMaintenanceMode(Database):
    """The port `MaintenanceMode`, on SQL."""

    def begin_maintenance(self, moment: int) -> int:
        """See `MaintenanceMode.begin_maintenance`."""
        insert = self.insert(maintenance_mode).values(name=_UPLOADS, since=moment)
        with self.writing() as connection:
            connection.execute(may_touch_none(insert.on_conflict_do_nothing()))
            since = int(connection.execute(_SINCE).scalar_one())
            record(connection, "", "maintenance.begin")
        return since

    def end_maintenance(self) -> None:
        """See `MaintenanceMode.end_maintenance`."""
        with self.writing() as connection:
            if delete_all(connection, maintenance_mode):
                record(connection, "", "maintenance.end")

    def maintenance_since(self) -> int | None:
        """See `MaintenanceMode.maintenance_since`."""
        with self.reading() as connection:
            since: int | None = connection.scalar(_SINCE)
        return since

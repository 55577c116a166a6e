"""A store on SQL; what differs between engines stands in a module for each."""

from collections.abc import Sequence

from sqlalchemy import Engine

from uptake.store.changes import ChangeReads
from uptake.store.erasing import Erasing, Tombstones
from uptake.store.expiry import Expiring
from uptake.store.listing import Listing
from uptake.store.reads import Reads
from uptake.store.records import Entry, Written
from uptake.store.registry import SqlRegistry
from uptake.store.segments import SqlSegments
from uptake.store.writes import Group, Statements, write


class SqlStore(Reads, Listing, ChangeReads, Erasing, Expiring, SqlSegments, SqlRegistry):
    """The whole port, on any engine that `tables` has been made in."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._statements = Statements(self)
        self._tombstones = Tombstones()

    def commit(self, entries: Sequence[Entry]) -> list[tuple[Written, ...]]:
        """See `Items.commit`."""
        group = Group(entries)
        with self.writing() as connection:
            changes = self.tombstone_changes(connection, {entry.project for entry in entries})
            erased = self._tombstones.among(connection, entries, changes)
            if erased:
                group = Group(entries, erased)
            return write(connection, self._statements, group)

"""A store on SQL; what differs between engines stands in a module for each."""

from collections.abc import Sequence

from sqlalchemy import Engine

from uptake.store.attribute_admission import NearLimit, examine
from uptake.store.attribute_limits import OverLimit
from uptake.store.base import StoreUnavailable
from uptake.store.changes import ChangeReads
from uptake.store.erasing import Tombstones
from uptake.store.examining import Examining
from uptake.store.expiry import Expiring
from uptake.store.listing import Listing
from uptake.store.reads import Reads
from uptake.store.records import Entry
from uptake.store.registry import SqlRegistry
from uptake.store.segments import SqlSegments
from uptake.store.stored import Committed
from uptake.store.writes import Group, Statements, write

ATTEMPTS = 5
"""How often a group is written whose users turn out to be near the limits of attributes: once is
enough, unless others create the same users at the same time."""


class SqlStore(Reads, Listing, ChangeReads, Examining, Expiring, SqlSegments, SqlRegistry):
    """The whole port, on any engine that `tables` has been made in."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._statements = Statements(self)
        self._tombstones = Tombstones(self.user_hash)
        self._near_limit = NearLimit()
        # Read at once, as what needs them may be where nothing must wait for a database.
        self.secrets()

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """See `Commits.commit`."""
        for _ in range(ATTEMPTS):
            try:
                return self._commit(entries)
            except OverLimit as found:
                self._near_limit.add(found.owners)
        raise StoreUnavailable("users' attributes change faster than they can be looked at")

    def _commit(self, entries: Sequence[Entry]) -> list[Committed]:
        group = Group(entries)
        with self.writing() as connection:
            changes = self.tombstone_changes(connection, {entry.project for entry in entries})
            erased = self._tombstones.among(connection, entries, changes)
            if erased:
                group = Group(entries, erased)
            owners = self._near_limit.among(group.told)
            admission = examine(connection, entries, group.told, owners, erased)
            if admission.rejected:
                group = Group(entries, erased, admission.rejected)
            return write(connection, self._statements, group, admission)

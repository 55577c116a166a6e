"""A store on SQL; what differs between engines stands in a module for each."""

from collections.abc import Sequence

from sqlalchemy import Engine

from uptake.store.attribute_admission import NearLimit, examine
from uptake.store.attribute_limits import OverLimit
from uptake.store.base import StoreUnavailable
from uptake.store.changes import ChangeReads
from uptake.store.erasing import Tombstones, TombstonesChanged
from uptake.store.examining import Examining
from uptake.store.expiry import Expiring
from uptake.store.listing import Listing
from uptake.store.reads import Reads
from uptake.store.records import Entry
from uptake.store.registry import SqlRegistry
from uptake.store.segments import SqlSegments
from uptake.store.stored import Committed
from uptake.store.writes import Group, GroupWrites

ATTEMPTS = 5
"""How often a group is written whose users turn out to be near the limits of attributes: once is
enough, unless others create the same users at the same time."""


class SqlStore(Reads, Listing, ChangeReads, Examining, Expiring, SqlSegments, SqlRegistry):
    """The whole port, on any engine that `tables` has been made in."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._group_writes = GroupWrites(self)
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
            except TombstonesChanged:
                continue
        raise StoreUnavailable("users' attributes change faster than they can be looked at")

    def _commit(self, entries: Sequence[Entry]) -> list[Committed]:
        projects = {entry.project for entry in entries}
        # The transaction checks at its end whether these are still all tombstones.
        tombstones = self._tombstones.known(projects)
        erased = self._tombstones.among(tombstones, entries)
        group = Group(entries, erased)
        with self.writing() as connection:
            writer = self.writer(connection)
            changes = self.tombstone_changes(writer, projects)
            owners = self._near_limit.among(group.updates)
            admission = examine(connection, entries, group.updates, owners, erased)
            if admission.rejected:
                group = Group(entries, erased, admission.rejected)
            outcomes = self._group_writes.write(connection, writer, group, admission)
            if self._tombstones.update(connection, tombstones, changes):
                raise TombstonesChanged
            return outcomes

"""A store on SQL; a module for each engine has the differences."""

from collections.abc import Callable, Collection, Iterable, Sequence

from sqlalchemy import Connection, Engine, select, update

from uptake.store import tables as t
from uptake.store.attribute_admission import EVERYTHING, examine
from uptake.store.base import StoreUnavailable
from uptake.store.changes import SqlChangeFeed
from uptake.store.database import Result, delete_all
from uptake.store.erasures import SqlErasures
from uptake.store.item_queries import SqlItemQueries
from uptake.store.profiles import AttributeUpdates, OverLimit, Owner
from uptake.store.records import Entry, RejectionRecord
from uptake.store.registry import SqlRegistry
from uptake.store.rejections import SqlRejectionQueries, rejection_of
from uptake.store.retention import SqlRetention
from uptake.store.snapshots import SqlSnapshots
from uptake.store.stored import Committed, StoredRejection
from uptake.store.user_queries import SqlUserQueries
from uptake.store.writes import Group, GroupWrites

UNEXAMINED = "null"
"""The `parts` of a rejection of an earlier version, as migration 0002 writes them."""

MAX_REMEMBERED = 1024
"""Users near the limits of attributes in the memory of a process."""

ATTEMPTS = 5
"""Attempts to write a group with users near the limits of attributes. A second one is enough,
unless others create the same users at the same time."""


Known = dict[str, tuple[int, frozenset[str]]]
"""By project, how often its tombstones had changed, and the hashes of its erased users."""

_NONE: tuple[int, frozenset[str]] = (0, frozenset())


class Tombstones:
    """The tombstones that a process knows.

    Args:
        user_hash: `ChangeFeed.user_hash`.
    """

    def __init__(self, user_hash: Callable[[str], str]) -> None:
        self._user_hash = user_hash
        self._known: Known = {}

    def known(self, projects: Iterable[str]) -> Known:
        """Return the tombstones of projects, as far as this process has read them."""
        return {project: self._known.get(project, _NONE) for project in projects}

    def among(self, known: Known, entries: Sequence[Entry]) -> set[Owner]:
        """Return the users of these entries that were erased."""
        return {
            owner
            for project, (_, hashes) in known.items()
            if hashes
            for owner in _owners(entries)
            if owner[0] == project and self._user_hash(owner[1]) in hashes
        }

    def update(self, connection: Connection, known: Known, changes: Result) -> bool:
        """Read the tombstones that changed. Returns whether any did.

        Args:
            connection: in a transaction that writes.
            known: as they were; those that changed are replaced.
            changes: result of `SqlErasures.tombstone_changes` for the same projects.
        """
        # On some engines the values of a result are text.
        numbers = {project: int(number) for project, number in changes.rows}
        stale = [name for name, (number, _) in known.items() if number != numbers.get(name, 0)]
        for project in stale:
            query = select(t.tombstones.c.user_hash).filter_by(project_id=project)
            hashes = frozenset(connection.scalars(query))
            known[project] = self._known[project] = (numbers.get(project, 0), hashes)
        return bool(stale)


class TombstonesChanged(Exception):
    """A group was made with tombstones that have changed since; it must be made again."""


def _owners(entries: Iterable[Entry]) -> set[Owner]:
    return {
        (entry.project, item.user_id)
        for entry in entries
        for item in (*entry.records, *entry.rejections, *([entry.error] if entry.error else ()))
        if item.user_id
    }


class NearLimit:
    """The users to examine before their attributes are written."""

    def __init__(self) -> None:
        self._owners: dict[Owner, None] = {}

    def add(self, owners: Collection[Owner]) -> None:
        """Add users, and forget the oldest."""
        for owner in owners:
            self._owners.pop(owner, None)
            self._owners[owner] = None
        while len(self._owners) > MAX_REMEMBERED:
            del self._owners[next(iter(self._owners))]

    def among(self, updates: AttributeUpdates) -> set[Owner]:
        """Return the users of a group to examine."""
        if not self._owners:
            return updates.to_examine
        return updates.to_examine | {owner for owner in self._owners if owner in updates.rows}


class SqlStore(
    SqlItemQueries,
    SqlRejectionQueries,
    SqlUserQueries,
    SqlChangeFeed,
    SqlSnapshots,
    SqlErasures,
    SqlRetention,
    SqlRegistry,
):
    """All ports, on any engine with the tables of `tables`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._group_writes = GroupWrites(self)
        self._tombstones = Tombstones(self.user_hash)
        self._near_limit = NearLimit()
        # Read now: callers of `user_hash` may be on the event loop.
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
        raise StoreUnavailable("users' attributes change faster than they can be checked")

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
            admission = EVERYTHING
            if owners:
                admission = examine(connection, entries, group.updates, owners, erased)
                if admission.rejected:
                    group = Group(entries, erased, admission.rejected)
            outcomes = self._group_writes.write(connection, writer, group, admission)
            if self._tombstones.update(connection, tombstones, changes):
                raise TombstonesChanged
            return outcomes

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

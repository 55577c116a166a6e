"""Users' attributes. A user's row has the values; users with the same attributes share their names.

Companies sync tables in which every user has the same attributes. So a user's row has a JSON array
of values and the digest of their names, and an upload with the same names replaces the row without
reading it. An upload with other names reads the row, merges the attributes and writes them back, as
a JSON object of names and values unless the new names include all old ones.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, delete, func, select, tuple_

from uptake.model.items import (
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTES,
    Attributes,
    exceeds_limits,
)
from uptake.store import tables as t
from uptake.store.base import IncompleteWrite
from uptake.store.database import (
    Result,
    Row,
    Writer,
    WritingDatabase,
    batches_of,
    check_count,
)

MAX_NAME_SETS = 1024
"""Digests of sets of attribute names in memory."""

Names = tuple[str, ...]
Owner = tuple[str, str]
"""Project and user."""


class OverLimit(Exception):
    """Users would have more attributes than they may have; their uploads must be examined.

    Attributes:
        owners: the users.
    """

    def __init__(self, owners: Collection[Owner]) -> None:
        super().__init__(f"{len(owners)} users")
        self.owners = owners


class Profile(msgspec.Struct, frozen=True, gc=False):
    """Values of attributes, in the order of their names, or by name where `names` is None."""

    names: Names | None
    values: Sequence[str] | dict[str, str]

    def mapping(self) -> dict[str, str]:
        """The values by name."""
        if isinstance(self.values, dict):
            return self.values
        return dict(zip(self.names or (), self.values, strict=True))

    def updated(self, update: "Profile") -> "Profile":
        """Return the attributes after an update; those that it does not name stay as they are."""
        if update.names is not None and update.names == self.names:
            return update
        both = self.mapping() | update.mapping()
        covered = update.names is not None and len(both) == len(update.names)
        return update if covered else Profile(None, both)


def attributes_of(attributes: bytes | None, names: bytes | None) -> dict[str, str]:
    """Return attributes by name, from a user's row and the JSON of the names that it refers to."""
    listed = None if names is None else msgspec.json.decode(names, type=Names)
    return _profile(attributes, listed).mapping()


class AttributeUpdates:
    """The attributes in a group of entries: one row for each user.

    Attributes:
        rows: of the table `users`, by owner; made before the transaction begins.
        names: sets of names, by project and digest.
        to_examine: users that need `attribute_admission.examine`: they are in several uploads of
            the group, or one upload has more attributes than a user may have.
    """

    def __init__(self) -> None:
        self.rows: dict[Owner, Row] = {}
        self.names: dict[tuple[str, bytes], Names] = {}
        self.to_examine: set[Owner] = set()
        self._last: Names | None = None
        self._digest = b""
        self._room = MAX_ATTRIBUTE_BYTES

    def add(self, project: str, record: Attributes, moment: int) -> None:
        """Add attributes that were received after all those added before.

        Args:
            project: of the user.
            record: the attributes.
            moment: when they were received.
        """
        if record.names is not self._last:
            # Once for a table with a hundred users.
            self._last, self._digest = record.names, _digest(record.names)
            self._room = MAX_ATTRIBUTE_BYTES - sum(len(name.encode()) for name in record.names)
            if len(record.names) > MAX_ATTRIBUTES:
                self._room = -1
        self.names[project, self._digest] = record.names
        owner = (project, record.user_id)
        row = _row(owner, moment, moment, self._digest, _encode(record.values))
        before = self.rows.get(owner)
        if before is None:
            self.rows[owner] = row
            # JSON has at least as many bytes as the values in it.
            if len(row["attributes"]) > self._room:
                self.to_examine.add(owner)
        else:
            self.to_examine.add(owner)
            self.rows[owner] = self.merged(before, row)

    def merged(self, before: Row, update: Row) -> Row:
        """Return a user's row after a later one."""
        after = self.profile(before).updated(self.profile(update))
        digest = None if after.names is None else _digest(after.names)
        first = min(before["first_seen"], update["first_seen"])
        last = max(before["last_seen"], update["last_seen"])
        return _row(_owner(update), first, last, digest, _encode(after.values))

    def in_order(self) -> list[Row]:
        """Return the rows in the same order for every group, so that writers cannot deadlock."""
        return [self.rows[owner] for owner in sorted(self.rows)]

    def profile(self, row: Row) -> Profile:
        """Return the attributes of a row."""
        names = None if row["names"] is None else self.names[row["project_id"], row["names"]]
        return _profile(row["attributes"], names)


class AttributeWrites:
    """Writes attributes. Other attributes of the users stay as they are."""

    def __init__(self) -> None:
        self._known_names: set[tuple[str, bytes, int]] = set()

    def add_names(
        self, database: WritingDatabase, updates: AttributeUpdates, versions: Mapping[str, int]
    ) -> None:
        """Store the sets of names that are new, in a transaction of their own.

        An erasure deletes the sets that no user has any more, and changes the version of its
        project: a group is written only if the versions are still these.

        Args:
            database: where they are stored.
            updates: attributes with these names.
            versions: how often the tombstones of each project had changed.
        """
        unseen = [key for key in updates.names if (*key, versions[key[0]]) not in self._known_names]
        if not unseen:
            return
        c = t.attribute_names.c
        wanted = tuple_(c.project_id, c.digest).in_(unseen)
        with database.reading() as connection:
            query = select(c.project_id, c.digest).where(wanted)
            found = {(project, digest) for project, digest in connection.execute(query)}
        rows = names_rows(updates, set(unseen) - found)
        if rows:
            count = select(func.count()).select_from(t.attribute_names).where(wanted)
            with database.writing() as connection:
                database.writer(connection).run("add_attribute_names", rows, every=False)
                # Another process may have stored them: the rows inserted are no measure.
                stored = connection.scalar(count) or 0
                check_count("INSERT INTO attribute_names", stored, len(unseen))
        if len(self._known_names) > MAX_NAME_SETS:
            self._known_names.clear()
        self._known_names.update((*key, versions[key[0]]) for key in unseen)

    def begin(self, writer: Writer, updates: AttributeUpdates) -> Result | None:
        """Write the attributes of new users, and those that change. Returns what was written."""
        if not updates.rows:
            return None
        return writer.run("change_attributes", updates.in_order(), every=False)

    def finish(
        self,
        connection: Connection,
        writer: Writer,
        updates: AttributeUpdates,
        changed: Result | None,
    ) -> set[Owner]:
        """Write what `begin` skipped.

        Args:
            connection: in the transaction.
            writer: of the transaction.
            updates: as for `begin`.
            changed: what `begin` returned.

        Returns:
            The users that had all of these attributes already.

        Raises:
            OverLimit: users would have more attributes than a user may have.
            IncompleteWrite: a user was not written.
        """
        if changed is None or changed.count == len(updates.rows):
            return set()
        rows = updates.in_order()
        # A row that was changed is not confirmed, so the counts add up if no other row is left.
        confirmed = writer.run("confirm_attributes", rows, every=False)
        same = {(project, user_id) for project, user_id in confirmed.rows}
        if changed.count + len(same) == len(rows):
            return same
        # The rest have attributes with other names: those are merged.
        others = [row for row in rows if _owner(row) not in same]
        for some in batches_of(others):
            merged, unchanged = _merge(connection, updates, some)
            writer.run("replace_attributes", merged)
            same |= unchanged
        return same


def names_rows(
    updates: AttributeUpdates, only: Collection[tuple[str, bytes]] | None = None
) -> list[Row]:
    """Return the rows of the table `attribute_names` for updates, in order.

    Args:
        updates: the attributes.
        only: the projects and digests of the sets to return; all by default.
    """
    return [
        {"project_id": project, "digest": digest, "names": _encode(updates.names[project, digest])}
        for project, digest in sorted(updates.names if only is None else only)
    ]


def _owner(row: Row) -> Owner:
    return row["project_id"], row["user_id"]


def _merge(
    connection: Connection, updates: AttributeUpdates, rows: Sequence[Row]
) -> tuple[list[Row], set[Owner]]:
    """Merge rows into the stored ones, unless this transaction has written them already.

    Returns:
        The merged rows, and the users without a change.

    Raises:
        OverLimit: users would have more attributes than a user may have.
        IncompleteWrite: a row is not stored at all.
    """
    merged: list[Row] = []
    same: set[Owner] = set()
    over: set[Owner] = set()
    wanted = {_owner(row): row for row in rows}
    missing = set(wanted)
    for stored in stored_rows(connection, updates, wanted):
        owner = _owner(stored)
        missing.discard(owner)
        new = wanted[owner]
        if (stored["names"], stored["attributes"]) == (new["names"], new["attributes"]):
            continue
        row = updates.merged(stored, new)
        before, after = updates.profile(stored).mapping(), updates.profile(row).mapping()
        if exceeds_limits(before, after):
            over.add(owner)
        if before == after:
            same.add(owner)
        merged.append(row)
    if over:
        raise OverLimit(over)
    if missing:
        raise IncompleteWrite(f"users: {len(missing)} rows were not written")
    return merged, same


def stored_rows(
    connection: Connection, updates: AttributeUpdates, owners: Collection[Owner]
) -> Iterator[Row]:
    """Yield the stored rows of users.

    Args:
        connection: in a transaction that writes.
        updates: the names of the users' attributes are added to its names.
        owners: the users.
    """
    u, listed = t.users.c, t.attribute_names.c
    query = (
        select(
            u.project_id,
            u.user_id,
            u.first_seen,
            u.last_seen,
            u.names,
            u.attributes,
            listed.names.label("listed"),
        )
        .outerjoin_from(t.users, t.attribute_names, t.names_of_users)
        .where(
            u.project_id.in_({project for project, _ in owners}),
            u.user_id.in_([user_id for _, user_id in owners]),
        )
    )
    for found in connection.execute(query).mappings():
        row = dict(found)
        listed_names = row.pop("listed")
        if _owner(row) not in owners:
            continue
        if row["names"] is not None:
            names = msgspec.json.decode(listed_names, type=Names)
            updates.names[row["project_id"], row["names"]] = names
        yield row


def names_of(connection: Connection, user: Row) -> set[str]:
    """Return the names of a user's attributes."""
    query = (
        select(t.users.c.attributes, t.attribute_names.c.names)
        .outerjoin_from(t.users, t.attribute_names, t.names_of_users)
        .where(t.users.c.project_id == user["project_id"], t.users.c.user_id == user["user_id"])
    )
    row = connection.execute(query).one_or_none()
    return set() if row is None else set(attributes_of(row.attributes, row.names))


def forget_names(connection: Connection, project: str, names: set[str]) -> None:
    """Delete the sets of names that only an erased user had.

    Args:
        connection: in a transaction that keeps others from writing users of the project.
        project: of the user.
        names: of all attributes that the user had.
    """
    listed = t.attribute_names.c
    sets = select(listed.digest, listed.names).filter_by(project_id=project)
    for digest, encoded in connection.execute(sets).all():
        if names.issuperset(msgspec.json.decode(encoded, type=Names)):
            users = select(t.users.c.user_id).filter_by(project_id=project, names=digest).limit(1)
            if connection.scalar(users) is None:
                unused = delete(t.attribute_names).filter_by(project_id=project, digest=digest)
                connection.execute(unused)


def _row(
    owner: Owner, first_seen: int, last_seen: int, names: bytes | None, attributes: bytes
) -> Row:
    return {
        "project_id": owner[0],
        "user_id": owner[1],
        "first_seen": first_seen,
        "last_seen": last_seen,
        "names": names,
        "attributes": attributes,
    }


def _profile(attributes: bytes | None, names: Names | None) -> Profile:
    if attributes is None:
        return Profile((), ())
    if names is None:
        return Profile(None, msgspec.json.decode(attributes, type=dict[str, str]))
    return Profile(names, msgspec.json.decode(attributes, type=list[str]))


_encode = msgspec.json.Encoder().encode


@lru_cache(MAX_NAME_SETS)
def _digest(names: Names) -> bytes:
    """Return an identifier of a list of names."""
    return hashlib.sha256(_encode(names)).digest()[:16]

"""Users' attributes in a database: values in the order of a set of names that is kept once.

The tables that companies sync name the same attributes for every user, every night. So a user's row
holds the values alone, a JSON array, and the digest of their names; the same names told again
replace it without a look at what there was. Only where other names are told is a user's row read,
merged and written back: as a JSON object then, names and all, unless the new names cover the old.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, delete, func, select, tuple_

from uptake.model.items import Attributes
from uptake.store import tables as t
from uptake.store.attribute_limits import (
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTES,
    OverLimit,
    exceeds,
)
from uptake.store.base import IncompleteWrite
from uptake.store.database import Result, Row, Writer, batches_of, check_count

MAX_NAME_SETS = 1024
"""Sets of attribute names whose digests are remembered."""

Names = tuple[str, ...]
Owner = tuple[str, str]
"""Project and user."""


class Profile(msgspec.Struct, frozen=True, gc=False):
    """Values of attributes, in the order of their names, or by name where `names` is None."""

    names: Names | None
    values: Sequence[str] | dict[str, str]

    def mapping(self) -> dict[str, str]:
        """The values by name."""
        if isinstance(self.values, dict):
            return self.values
        return dict(zip(self.names or (), self.values, strict=True))

    def then(self, told: "Profile") -> "Profile":
        """What stands after another was told; those that it does not name stay as they are."""
        if told.names is not None and told.names == self.names:
            return told
        both = self.mapping() | told.mapping()
        covered = told.names is not None and len(both) == len(told.names)
        return told if covered else Profile(None, both)


def attributes_of(attributes: bytes | None, names: bytes | None) -> dict[str, str]:
    """Attributes by name, from a user's row and the JSON of the names that its digest tells."""
    listed = None if names is None else msgspec.json.decode(names, type=Names)
    return _profile(attributes, listed).mapping()


class AttributeUpdates:
    """What a group of entries says of users' attributes: one row for each of them.

    Attributes:
        rows: of `users`, by owner; made before the transaction begins.
        names: the sets of names told, by project and digest.
        to_examine: those whose stored attributes must be looked at one upload after the other: of
            whom several are in the group, or who are sent more than a user may have at once.
    """

    def __init__(self) -> None:
        self.rows: dict[Owner, Row] = {}
        self.names: dict[tuple[str, bytes], Names] = {}
        self.to_examine: set[Owner] = set()
        self._last: Names | None = None
        self._digest = b""
        self._room = MAX_ATTRIBUTE_BYTES

    def add(self, project: str, record: Attributes, moment: int) -> None:
        """Take in what was received of a user after all that was taken in before.

        Args:
            project: whose user it is.
            record: the attributes.
            moment: when they were received.
        """
        if record.names is not self._last:
            # Of a table with a hundred users, the names are looked at once.
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
            # JSON needs at least as many bytes as the values that it holds.
            if len(row["attributes"]) > self._room:
                self.to_examine.add(owner)
        else:
            self.to_examine.add(owner)
            self.rows[owner] = self.merged(before, row)

    def merged(self, before: Row, told: Row) -> Row:
        """A user's row with that of a later time taken in."""
        owner = (told["project_id"], told["user_id"])
        stands = self.profile(before).then(self.profile(told))
        digest = None if stands.names is None else _digest(stands.names)
        first = min(before["first_seen"], told["first_seen"])
        last = max(before["last_seen"], told["last_seen"])
        return _row(owner, first, last, digest, _encode(stands.values))

    def in_order(self) -> list[Row]:
        """Return the rows, in one order for every group: two writers never wait for each other."""
        return [self.rows[owner] for owner in sorted(self.rows)]

    def profile(self, row: Row) -> Profile:
        """The attributes of a row."""
        names = None if row["names"] is None else self.names[row["project_id"], row["names"]]
        return _profile(row["attributes"], names)


class AttributeWrites:
    """Writes attributes. Other attributes of the users stay as they are."""

    def __init__(self) -> None:
        self._known_names: set[tuple[str, bytes]] = set()

    def begin(
        self, connection: Connection, writer: Writer, updates: AttributeUpdates
    ) -> Result | None:
        """Write the attributes of new users, and those that change. Returns what was written."""
        if not updates.rows:
            return None
        self._write_names(connection, writer, updates)
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
            The users of whom all attributes were stored already.

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

    def _write_names(
        self, connection: Connection, writer: Writer, updates: AttributeUpdates
    ) -> None:
        # In one order for every group, so that two writers never wait for each other.
        sets = sorted(updates.names)
        rows = [
            {
                "project_id": project,
                "digest": digest,
                "names": _encode(updates.names[project, digest]),
            }
            for project, digest in sets
        ]
        writer.run("add_attribute_names", rows, every=False)
        # Stored names are not inserted again, so a count does not show whether an insert was lost.
        unseen = [names for names in sets if names not in self._known_names]
        if unseen:
            c = t.attribute_names.c
            pairs = tuple_(c.project_id, c.digest).in_(unseen)
            there = connection.scalar(
                select(func.count()).select_from(t.attribute_names).where(pairs)
            )
            check_count("INSERT INTO attribute_names", there or 0, len(unseen))
            if len(self._known_names) > MAX_NAME_SETS:
                self._known_names.clear()
            self._known_names.update(unseen)


def _owner(row: Row) -> Owner:
    return row["project_id"], row["user_id"]


def _merge(
    connection: Connection, told: AttributeUpdates, rows: Sequence[Row]
) -> tuple[list[Row], set[Owner]]:
    """Merge rows into those that are stored, where this transaction has not written them yet.

    Returns:
        The merged rows, and the users of whom nothing changes.

    Raises:
        OverLimit: users would have more attributes than a user may have.
        IncompleteWrite: a row is neither written nor there to be merged.
    """
    merged: list[Row] = []
    same: set[Owner] = set()
    over: set[Owner] = set()
    wanted = {_owner(row): row for row in rows}
    missing = set(wanted)
    for before in stored_rows(connection, told, wanted):
        owner = _owner(before)
        missing.discard(owner)
        new = wanted[owner]
        if (before["names"], before["attributes"]) == (new["names"], new["attributes"]):
            continue
        row = told.merged(before, new)
        stands, stood = told.profile(row).mapping(), told.profile(before).mapping()
        if exceeds(stood, stands):
            over.add(owner)
        if stands == stood:
            same.add(owner)
        merged.append(row)
    if over:
        raise OverLimit(over)
    if missing:
        raise IncompleteWrite("users: rows were neither written nor are there to be merged")
    return merged, same


def stored_rows(
    connection: Connection, told: AttributeUpdates, owners: Collection[Owner]
) -> Iterator[Row]:
    """The rows of users as they are stored; the names of their attributes are added to `told`.

    Args:
        connection: in a transaction that writes.
        told: knows the names of attributes by digest.
        owners: whose rows; those that do not exist are left out.
    """
    kept, listed = t.users.c, t.attribute_names.c
    query = (
        select(
            kept.project_id,
            kept.user_id,
            kept.first_seen,
            kept.last_seen,
            kept.names,
            kept.attributes,
            listed.names.label("listed"),
        )
        .outerjoin_from(t.users, t.attribute_names, t.names_of_users)
        .where(
            kept.project_id.in_({project for project, _ in owners}),
            kept.user_id.in_([user_id for _, user_id in owners]),
        )
    )
    for found in connection.execute(query).mappings():
        row = dict(found)
        listed_names = row.pop("listed")
        if _owner(row) not in owners:
            continue
        if row["names"] is not None:
            names = msgspec.json.decode(listed_names, type=Names)
            told.names[row["project_id"], row["names"]] = names
        yield row


def names_of(connection: Connection, user: Row) -> set[str]:
    """The names of a user's attributes."""
    query = (
        select(t.users.c.attributes, t.attribute_names.c.names)
        .outerjoin_from(t.users, t.attribute_names, t.names_of_users)
        .where(t.users.c.project_id == user["project_id"], t.users.c.user_id == user["user_id"])
    )
    row = connection.execute(query).one_or_none()
    return set() if row is None else set(attributes_of(row.attributes, row.names))


def forget_names(connection: Connection, project: str, names: set[str]) -> None:
    """Delete sets of names that only a user who is no more can have had.

    Args:
        connection: in a transaction during which nobody else writes users of the project.
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
    """What tells a set of names, in its order, from every other."""
    return hashlib.sha256(_encode(names)).digest()[:16]

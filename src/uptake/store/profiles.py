"""Users' attributes in a database: values in the order of a set of names that is kept once.

The tables that companies sync name the same attributes for every user, every night. So a user's row
holds the values alone, a JSON array, and the digest of their names; the same names told again
replace it without a look at what there was. Only where other names are told is a user's row read,
merged and written back: as a JSON object then, names and all, unless the new names cover the old.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, case, literal_column, or_, select

from uptake.model.items import Attributes
from uptake.store import tables as t
from uptake.store.database import Database, Row
from uptake.store.marks import mark_of

MAX_NAME_SETS = 1024
"""Sets of attribute names whose digests are remembered."""

READ_AT_ONCE = 500
"""Users in a query for what is kept of them; well below what a database takes as parameters."""

Names = tuple[str, ...]
Owner = tuple[str, str]
"""Project and user."""

_KEY = ("project_id", "user_id")
_NAMES = ("project_id", "digest", "names")
_ROW = (*_KEY, "first_seen", "last_seen", "names", "attributes")


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


class Told:
    """What a group of entries says of users' attributes: one row for each of them.

    Attributes:
        rows: of `users`, by owner; made before the transaction begins.
        names: the sets of names told, by project and digest.
    """

    def __init__(self) -> None:
        self.rows: dict[Owner, Row] = {}
        self.names: dict[tuple[str, bytes], Names] = {}
        self._last: Names | None = None
        self._digest = b""

    def tell(self, project: str, record: Attributes, moment: int) -> None:
        """Take in what was received of a user after all that was taken in before."""
        if record.names is not self._last:
            # Of a table with a hundred users, the names are looked at once.
            self._last, self._digest = record.names, _digest(record.names)
        self.names[project, self._digest] = record.names
        owner = (project, record.user_id)
        row = _row(owner, moment, moment, self._digest, _encode(record.values))
        before = self.rows.get(owner)
        self.rows[owner] = row if before is None else self.merged(before, row)

    def merged(self, before: Row, told: Row) -> Row:
        """A user's row with that of a later time taken in."""
        owner = (told["project_id"], told["user_id"])
        stands = self._profile(before).then(self._profile(told))
        digest = None if stands.names is None else _digest(stands.names)
        first = min(before["first_seen"], told["first_seen"])
        last = max(before["last_seen"], told["last_seen"])
        return _row(owner, first, last, digest, _encode(stands.values))

    def _profile(self, row: Row) -> Profile:
        names = None if row["names"] is None else self.names[row["project_id"], row["names"]]
        return _profile(row["attributes"], names)


class ProfileStatements:
    """The statements that write profiles, for a database."""

    def __init__(self, database: Database) -> None:
        insert, bulk = database.insert, database.bulk
        self._add_names = bulk(insert(t.attribute_names).on_conflict_do_nothing(), _NAMES)
        mark = mark_of(database.lane)
        statement = insert(t.users).values(revision=literal_column("1"), mark=mark)
        kept, told = t.users.c, statement.excluded
        replaced = {**touched(told), "names": told.names, "attributes": told.attributes}
        replaced |= {"mark": told.mark}
        as_before = or_(kept.names == told.names, kept.attributes.is_(None))
        only_then = statement.on_conflict_do_update(
            index_elements=_KEY, set_=replaced, where=as_before
        )
        always = statement.on_conflict_do_update(index_elements=_KEY, set_=replaced)
        self._set = bulk(only_then, _ROW)
        self._replace = bulk(always, _ROW)

    def write(self, connection: Connection, told: Told) -> None:
        """Write what was told, in a transaction; other attributes of the users stay."""
        if not told.rows:
            return
        # In one order for every group, so that two writers never wait for each other.
        sets = [
            {"project_id": project, "digest": digest, "names": _encode(told.names[project, digest])}
            for project, digest in sorted(told.names)
        ]
        self._add_names.run(connection, sets)
        rows = [told.rows[owner] for owner in sorted(told.rows)]
        if self._set.written(connection, rows) == len(rows):
            return
        for start in range(0, len(rows), READ_AT_ONCE):
            merged = _with_what_is_kept(connection, told, rows[start : start + READ_AT_ONCE])
            self._replace.run(connection, list(merged))


def _with_what_is_kept(connection: Connection, told: Told, rows: Sequence[Row]) -> Iterator[Row]:
    """Rows anew, for those users of whom other attributes are kept than those told."""
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
            kept.project_id.in_({row["project_id"] for row in rows}),
            kept.user_id.in_([row["user_id"] for row in rows]),
        )
    )
    for found in connection.execute(query).mappings():
        before = dict(found)
        listed_names = before.pop("listed")
        row = told.rows.get((before["project_id"], before["user_id"]))
        if row is None or (row["names"] is not None and row["names"] == before["names"]):
            continue
        if before["names"] is not None:
            names = msgspec.json.decode(listed_names, type=Names)
            told.names[before["project_id"], before["names"]] = names
        yield told.merged(before, row)


def touched(told: Any) -> Row:
    """What a further record changes in its user's row, `told` being the row that is inserted."""
    # Writers of one user may come in another order than that in which they received.
    first, last = t.users.c.first_seen, t.users.c.last_seen
    return {
        "revision": t.users.c.revision + 1,
        "first_seen": case((told.first_seen < first, told.first_seen), else_=first),
        "last_seen": case((told.last_seen > last, told.last_seen), else_=last),
    }


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

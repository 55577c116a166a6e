"""API keys, their secrets and their uses."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import case, or_, select, update

from uptake.store import key_tables as t
from uptake.store.audit import record
from uptake.store.base import IncompleteWrite
from uptake.store.database import Database, Row, delete_all, may_touch_none, update_all
from uptake.store.definitions import Key, Rate
from uptake.time_units import MICROSECONDS_PER_SECOND

_CHANGEABLE = ("name", "scopes", "user_id", "rates", "expires_at")
"""The columns that `change_key` replaces."""


class SqlKeys(Database):
    """The port `Keys`, on SQL."""

    def add_key(self, key: Key) -> None:
        """See `Keys.add_key`."""
        with self.writing() as connection:
            connection.execute(self.insert(t.keys), _row(key))
            record(connection, key.project, "key.create", key.id, scopes=key.scopes)

    def key(self, digest: str) -> Key | None:
        """See `Keys.key`."""
        old = select(t.old_secrets.c.key_id, t.old_secrets.c.until).filter_by(digest=digest)
        with self.reading() as connection:
            row = connection.execute(select(t.keys).filter_by(digest=digest)).one_or_none()
            if row is not None:
                return _key(row)
            replaced = connection.execute(old).one_or_none()
            if replaced is None:
                return None
            key_id, until = replaced
            row = connection.execute(select(t.keys).filter_by(id=key_id)).one_or_none()
        if row is None:
            return None
        key = _key(row)
        ends = until if key.expires_at is None else min(until, key.expires_at)
        return msgspec.structs.replace(key, digest=digest, expires_at=ends)

    def keys(self) -> list[Key]:
        """See `Keys.keys`."""
        query = select(t.keys).order_by(t.keys.c.created_at, t.keys.c.id)
        with self.reading() as connection:
            return [_key(row) for row in connection.execute(query)]

    def keys_after(self, project: str | None, after: str, limit: int) -> list[Key]:
        """See `Keys.keys_after`."""
        query = select(t.keys).where(t.keys.c.id > after)
        if project is not None:
            query = query.filter_by(project_id=project)
        with self.reading() as connection:
            found = connection.execute(query.order_by(t.keys.c.id).limit(limit))
            return [_key(row) for row in found]

    def key_with_id(self, key_id: str) -> Key | None:
        """See `Keys.key_with_id`."""
        with self.reading() as connection:
            row = connection.execute(select(t.keys).filter_by(id=key_id)).one_or_none()
        return None if row is None else _key(row)

    def change_key(self, known: Key, changed: Key) -> bool:
        """See `Keys.change_key`."""
        row = _row(changed)
        values = {name: row[name] for name in _CHANGEABLE}
        with self.writing() as connection:
            if not update_all(connection, t.keys, _same(known), values):
                return False
            names = [name for name in _CHANGEABLE if row[name] != _row(known)[name]]
            at = connection, known.project, "key.change", known.id
            record(*at, changed=names, scopes=changed.scopes)
        return True

    def rotate_key(self, known: Key, digest: str, moment: int, until: int) -> bool:
        """See `Keys.rotate_key`."""
        old = t.old_secrets.c
        row = {"digest": known.digest, "key_id": known.id, "until": until}
        with self.writing() as connection:
            if not update_all(connection, t.keys, _same(known), {"digest": digest}):
                return False
            ended = old.key_id == known.id, old.until <= moment
            delete_all(connection, t.old_secrets, *ended)
            connection.execute(self.insert(t.old_secrets), row)
            record(connection, known.project, "key.rotate", known.id, old_valid_until=until)
        return True

    def revoke_key(self, key_id: str, moment: int) -> bool:
        """See `Keys.revoke_key`."""
        this = t.keys.c.id == key_id
        with self.writing() as connection:
            if not update_all(connection, t.keys, [this], {"revoked_at": moment}):
                return False
            project = connection.execute(select(t.keys.c.project_id).where(this)).scalar_one()
            record(connection, project, "key.revoke", key_id)
        return True

    def record_uses(self, uses: Mapping[str, int]) -> None:
        """See `Keys.record_uses`."""
        last = t.keys.c.last_used_at
        with self.writing() as connection:
            # In order: transactions that lock the same rows in another order wait for each other.
            for key_id, moment in sorted(uses.items()):
                earlier = or_(last.is_(None), last < moment)
                statement = update(t.keys).where(t.keys.c.id == key_id, earlier)
                connection.execute(may_touch_none(statement.values(last_used_at=moment)))

    def count_use(self, key_id: str, rates: Sequence[Rate], moment: int) -> list[int]:
        """See `Keys.count_use`."""
        now = {rate.seconds: moment // (rate.seconds * MICROSECONDS_PER_SECOND) for rate in rates}
        rows = [
            {"key_id": key_id, "seconds": seconds, "window": window, "count": 1}
            for seconds, window in sorted(now.items())
        ]
        put = self.insert(t.key_uses).values(rows)
        c = t.key_uses.c
        same = c.window == put.excluded.window
        counted = put.on_conflict_do_update(
            index_elements=["key_id", "seconds"],
            set_={"window": put.excluded.window, "count": case((same, c["count"] + 1), else_=1)},
        ).returning(c.seconds, c["count"])
        with self.writing() as connection:
            uses = {seconds: int(count) for seconds, count in connection.execute(counted)}
            if len(uses) < len(now):
                raise IncompleteWrite("key_uses: a count was not written")
            if any(uses[rate.seconds] > rate.requests for rate in rates):
                back = update(t.key_uses).where(c.key_id == key_id, c.seconds.in_(list(now)))
                connection.execute(back.values(count=c["count"] - 1))
        return [uses[rate.seconds] for rate in rates]


def delete_keys(connection: Any, *where: Any) -> int:
    """Delete keys, with what belongs to them. Returns their number."""
    ids = select(t.keys.c.id).where(*where).scalar_subquery()
    for table in (t.key_uses, t.old_secrets):
        delete_all(connection, table, table.c.key_id.in_(ids))
    return delete_all(connection, t.keys, *where)


def _same(known: Key) -> list[Any]:
    """Conditions of a key that has the secret and the permissions that are known."""
    row = _row(known)
    return [t.keys.c[name] == row[name] for name in ("id", "digest", "scopes", "user_id")]


def _row(key: Key) -> Row:
    return {
        "id": key.id,
        "digest": key.digest,
        "project_id": key.project,
        "scopes": " ".join(key.scopes),
        "user_id": key.user,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "name": key.name,
        "rates": msgspec.json.encode([(one.requests, one.seconds) for one in key.rates]).decode(),
        "last_used_at": key.last_used_at,
    }


def _key(row: Any) -> Key:
    rates = msgspec.json.decode(row.rates, type=list[tuple[int, int]])
    return Key(
        id=row.id,
        digest=row.digest,
        project=row.project_id,
        scopes=tuple(row.scopes.split()),
        created_at=row.created_at,
        user=row.user_id,
        rates=tuple(Rate(*rate) for rate in rates),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        name=row.name,
        last_used_at=row.last_used_at,
    )

"""The secrets of an installation, made with its database and kept in it: its nodes share them."""

from typing import Any

from sqlalchemy import Connection, select

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.store import tables as t
from uptake.store.database import Database


class SecretReads(Database):
    """The part of the port that knows the secrets, on SQL."""

    _secrets: Secrets | None = None

    def secrets(self) -> Secrets:
        """See `Installation.secrets`."""
        if self._secrets is None:
            with self.reading() as connection:
                self._secrets = _read(connection)
        return self._secrets

    def user_hash(self, user_id: str) -> str:
        """See `ChangeFeed.user_hash`."""
        return ids.user_hash(self.secrets().user_hash, user_id)


def _read(connection: Connection) -> Secrets:
    found: dict[str, Any] = {
        row.name: row.value
        for row in connection.execute(select(t.secrets.c.name, t.secrets.c.value))
    }
    return Secrets(**{name: bytes(found[name]) for name in Secrets.__struct_fields__})

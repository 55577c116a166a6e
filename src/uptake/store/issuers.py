"""The issuers of users' tokens that projects trust."""

from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, Column, Table, Text, UniqueConstraint, select

from uptake.store.audit import record
from uptake.store.base import AlreadyExists
from uptake.store.database import Database, delete_all, update_all
from uptake.store.definitions import Issuer
from uptake.store.tables import String, metadata

issuers = Table(
    "issuers",
    metadata,
    Column("id", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("issuer", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("source", String, nullable=False),
    Column("user_claim", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # The key set that was read last, and when it was read, and when that was last tried.
    Column("key_set", Text),
    Column("read_at", BigInteger),
    Column("tried_at", BigInteger),
    UniqueConstraint("project_id", "name", name="issuers_by_name"),
    UniqueConstraint("issuer", "audience", name="issuers_by_audience"),
)


class SqlIssuers(Database):
    """The port `Issuers`, on SQL."""

    def add_issuer(self, issuer: Issuer) -> None:
        """See `Issuers.add_issuer`."""
        row = {name: getattr(issuer, name) for name in _SAME}
        row |= {"project_id": issuer.project, "scopes": " ".join(issuer.scopes)}
        try:
            with self.writing() as connection:
                connection.execute(self.insert(issuers), row)
                record(connection, issuer.project, "issuer.add", issuer.name, scopes=issuer.scopes)
        except sqlalchemy.exc.IntegrityError:
            raise AlreadyExists(issuer.name) from None

    def remove_issuer(self, project: str, name: str) -> bool:
        """See `Issuers.remove_issuer`."""
        i = issuers.c
        with self.writing() as connection:
            found = delete_all(connection, issuers, i.project_id == project, i.name == name) > 0
            if found:
                record(connection, project, "issuer.remove", name)
        return found

    def issuers(self, project: str) -> list[Issuer]:
        """See `Issuers.issuers`."""
        return self._issuers(select(issuers).filter_by(project_id=project))

    def issuers_of(self, issuer: str) -> list[Issuer]:
        """See `Issuers.issuers_of`."""
        return self._issuers(select(issuers).filter_by(issuer=issuer))

    def put_key_set(self, issuer_id: str, key_set: str | None, moment: int) -> None:
        """See `Issuers.put_key_set`."""
        values: dict[str, Any] = {"tried_at": moment}
        if key_set is not None:
            values |= {"key_set": key_set, "read_at": moment}
        with self.writing() as connection:
            update_all(connection, issuers, [issuers.c.id == issuer_id], values)

    def _issuers(self, query: Any) -> list[Issuer]:
        with self.reading() as connection:
            rows = connection.execute(query.order_by(issuers.c.name)).all()
        return [
            Issuer(
                **{name: getattr(row, name) for name in _SAME},
                project=row.project_id,
                scopes=tuple(row.scopes.split()),
            )
            for row in rows
        ]


_SAME = [name for name in Issuer.__struct_fields__ if name not in {"project", "scopes"}]
"""Fields that are columns of the same name."""

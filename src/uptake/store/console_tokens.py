"""Links to the console, and sessions in it."""

import msgspec
from sqlalchemy import BigInteger, Column, Table, select

from uptake.store.console_ports import ConsoleToken
from uptake.store.database import Database, delete_all
from uptake.store.tables import String, metadata

console_tokens = Table(
    "console_tokens",
    metadata,
    Column("digest", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("project_id", String, nullable=False),
    Column("key_digest", String),
    Column("expires_at", BigInteger, nullable=False),
)

_COLUMNS = console_tokens.c


class SqlConsoleTokens(Database):
    """The port `ConsoleTokens`, on SQL."""

    def put_console_token(self, token: ConsoleToken, now: int) -> None:
        """See `ConsoleTokens.put_console_token`."""
        row = msgspec.structs.asdict(token)
        row["project_id"] = row.pop("project")
        insert = self.insert(console_tokens).values(row)
        project = {"project_id": insert.excluded.project_id}
        with self.writing() as connection:
            delete_all(connection, console_tokens, _COLUMNS.expires_at <= now)
            connection.execute(
                insert.on_conflict_do_update(index_elements=["digest"], set_=project)
            )

    def console_token(self, digest: str) -> ConsoleToken | None:
        """See `ConsoleTokens.console_token`."""
        c = _COLUMNS
        query = select(c.digest, c.kind, c.project_id, c.key_digest, c.expires_at)
        with self.reading() as connection:
            row = connection.execute(query.where(c.digest == digest)).one_or_none()
        return None if row is None else ConsoleToken(*row)

    def delete_console_token(self, digest: str) -> bool:
        """See `ConsoleTokens.delete_console_token`."""
        with self.writing() as connection:
            return delete_all(connection, console_tokens, _COLUMNS.digest == digest) > 0

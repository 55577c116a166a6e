"""The revisions of the schema, and the migration of a database to the last one."""

from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine

from uptake.store.base import NoDatabase
from uptake.store.database import WRITES

VERSION_TABLE = "alembic_version"
"""Alembic's table with the revision of a database."""

HEAD = max(path.name for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))[:4]
"""The last revision; files are named after their revision."""


def upgrade(engine: Engine, *, make: bool) -> None:
    """Run the pending migrations of a database; concurrent callers run them once.

    Args:
        engine: of the database.
        make: whether to create the tables if the database has none of Uptake.

    Raises:
        NoDatabase: it has none, and `make` is false.
        StoreUnusable: the database was written by a newer version of the program.
    """
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        _lock(connection)
        seen = revision_of(connection)
        if seen == HEAD:
            return
        if seen is None and not make:
            raise NoDatabase("the database has no tables of Uptake")
        # Importing Alembic takes as long as all other work to open a database.
        from uptake.store.migrations.running import check_known, upgrade_to  # noqa: PLC0415

        if seen is not None:
            check_known(seen)
        upgrade_to(connection, HEAD)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database; None before the first migration."""
    if not sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
        return None
    query = sqlalchemy.text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - ours
    revision: str | None = connection.scalar(query)
    return revision


def _lock(connection: Connection) -> None:
    """Lock out other nodes until the transaction ends; on SQLite the write transaction does."""
    if connection.dialect.name == "postgresql":
        # Wait without limit for another migration, but not for other transactions.
        patience = connection.scalar(sqlalchemy.text("SHOW lock_timeout"))
        connection.execute(sqlalchemy.text("SET LOCAL lock_timeout = 0"))
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(7816457)"))
        connection.execute(sqlalchemy.text(f"SET LOCAL lock_timeout = '{patience}'"))

"""The schema's history, and the way to bring a database up to its end."""

from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine

from uptake.store.database import WRITES

VERSION_TABLE = "alembic_version"
"""Where Alembic notes the revision of a database."""

HEAD = max(path.name for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))[:4]
"""The last revision: a step's file is named by its revision."""


def upgrade(engine: Engine) -> None:
    """Run the migrations that a database has not seen; several callers at once run them once.

    Raises:
        StoreUnusable: the database was written by a newer version of the program.
    """
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        _lock(connection)
        seen = revision_of(connection)
        if seen == HEAD:
            return
        # Alembic takes as long to load as everything else that it takes to open a database.
        from uptake.store.migrations.running import check_known, upgrade_to  # noqa: PLC0415

        if seen is not None:
            check_known(seen)
        upgrade_to(connection, HEAD)


def revision_of(connection: Connection) -> str | None:
    """Up to which revision the migrations have run on a database; None before the first."""
    if not sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
        return None
    query = sqlalchemy.text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - ours
    revision: str | None = connection.scalar(query)
    return revision


def _lock(connection: Connection) -> None:
    """Keep other nodes out until the end; on SQLite the write transaction itself does."""
    if connection.dialect.name == "postgresql":
        # Others may migrate as long as they need; their other transactions may not.
        patience = connection.scalar(sqlalchemy.text("SHOW lock_timeout"))
        connection.execute(sqlalchemy.text("SET LOCAL lock_timeout = 0"))
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(7816457)"))
        connection.execute(sqlalchemy.text(f"SET LOCAL lock_timeout = '{patience}'"))

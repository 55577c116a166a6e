"""The schema's history, and the way to bring a database up to its end."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from uptake.store.base import StoreUnusable
from uptake.store.database import WRITES


def upgrade(engine: Engine) -> None:
    """Run the migrations that a database has not seen; several callers at once run them once.

    Raises:
        StoreUnusable: the database was written by a newer version of the program.
    """
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        _lock(connection)
        seen = revision_of(connection)
        if seen is not None:
            check_known(seen)
        if seen != _script().get_current_head():
            upgrade_to(connection, "head")


def revision_of(connection: Connection) -> str | None:
    """Up to which revision the migrations have run on a database; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def check_known(revision: str) -> None:
    """Make sure that a revision is one of the program's own.

    Raises:
        StoreUnusable: it is of a newer version.
    """
    if revision not in {known.revision for known in _script().walk_revisions()}:
        raise StoreUnusable("the data was written by a newer version of Uptake; use that one")


def upgrade_to(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision within the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def tables_at(revision: str) -> list[str]:
    """The names of the tables that a revision has, sorted: whatever else a database holds."""
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade_to(connection, revision)
            names = sqlalchemy.inspect(connection).get_table_names()
    finally:
        engine.dispose()
    return sorted(name for name in names if name != VERSION_TABLE)


VERSION_TABLE = "alembic_version"
"""Where Alembic notes the revision of a database."""


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    # A percent sign in a folder's name would be read as an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _lock(connection: Connection) -> None:
    """Keep other nodes out until the end; on SQLite the write transaction itself does."""
    if connection.dialect.name == "postgresql":
        # Others may migrate as long as they need; their other transactions may not.
        patience = connection.scalar(sqlalchemy.text("SHOW lock_timeout"))
        connection.execute(sqlalchemy.text("SET LOCAL lock_timeout = 0"))
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(7816457)"))
        connection.execute(sqlalchemy.text(f"SET LOCAL lock_timeout = '{patience}'"))

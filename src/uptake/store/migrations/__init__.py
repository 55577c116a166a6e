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
    config = _config()
    script = ScriptDirectory.from_config(config)
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        _lock(connection)
        seen = MigrationContext.configure(connection).get_current_revision()
        if seen == script.get_current_head():
            return
        known = {revision.revision for revision in script.walk_revisions()}
        if seen is not None and seen not in known:
            raise StoreUnusable("the data was written by a newer version of Uptake; use that one")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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

"""Runs migrations, and describes the schema of a revision, with Alembic."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import ReflectedColumn

from uptake.store.base import StoreUnusable
from uptake.store.database import COUNTED
from uptake.store.migrations import VERSION_TABLE


def check_known(revision: str) -> None:
    """Check that a revision is known to this version.

    Raises:
        StoreUnusable: it is of a newer version.
    """
    if revision not in revisions():
        raise StoreUnusable("the data was written by a newer version of Uptake; use that one")


def upgrade_to(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision in the connection's transaction.

    Their statements work on empty tables too.
    """
    config = _config()
    config.attributes["connection"] = connection
    counted = connection.get_execution_options().get(COUNTED, False)
    connection.execution_options(**{COUNTED: False})
    try:
        command.upgrade(config, revision)
    finally:
        connection.execution_options(**{COUNTED: counted})


def tables_at(revision: str) -> dict[str, dict[str, frozenset[type]]]:
    """Return the tables of a revision, sorted by name, with the types of values of each column.

    Other tables in the database are ignored.
    """
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade_to(connection, revision)
            inspector = sqlalchemy.inspect(connection)
            return {
                name: {column["name"]: _types(column) for column in inspector.get_columns(name)}
                for name in sorted(inspector.get_table_names())
                if name != VERSION_TABLE
            }
    finally:
        engine.dispose()


def _types(column: ReflectedColumn) -> frozenset[type]:
    types = {column["type"].python_type, *([type(None)] if column["nullable"] else [])}
    return frozenset(types)


def revisions() -> list[str]:
    """Return all revisions, the last one first."""
    script = ScriptDirectory.from_config(_config())
    return [step.revision for step in script.walk_revisions()]


def _config() -> Config:
    config = Config()
    # Escape percent signs, which are interpolations in Alembic's configuration.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config

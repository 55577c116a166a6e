"""Facts about a database that decide whether it is durable and up to date."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from uptake.store.distribution import DistributionFacts
from uptake.store.migrations import HEAD, revision_of

SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
"""Values of SQLite's setting of this name."""

_POSTGRESQL = """
    SELECT name, reset_val FROM pg_settings
    WHERE name IN
        ('fsync', 'full_page_writes', 'synchronous_commit', 'default_transaction_read_only')"""
"""`reset_val`: the value before the session's own changes."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Facts about a database, read without a migration.

    Attributes:
        engine: `SQLite` or `PostgreSQL`.
        version: of the engine.
        revision: of the schema.
        newest: the revision that this program migrates to.
        settings: settings of the engine that writes and their durability depend on.
        is_read_only: whether the server accepts no writes, as a standby does.
        clock: the time of the server in microseconds since 1970; None without a server.
        distribution: over the nodes of a cluster, if the database is distributed.
    """

    engine: str
    version: str
    revision: str | None
    newest: str
    settings: dict[str, str]
    is_read_only: bool = False
    clock: int | None = None
    distribution: DistributionFacts | None = None


def sqlite_facts(connection: Connection) -> DatabaseFacts:
    """Facts about a SQLite database, as a connection of the store sees it."""

    def value(statement: str) -> Any:
        return connection.exec_driver_sql(statement).scalar_one()

    return DatabaseFacts(
        "SQLite",
        value("SELECT sqlite_version()"),
        revision_of(connection),
        HEAD,
        {
            "journal_mode": value("PRAGMA journal_mode"),
            "synchronous": SYNCHRONOUS[value("PRAGMA synchronous")],
        },
    )


def postgresql_facts(connection: Connection) -> DatabaseFacts:
    """Facts about a PostgreSQL database and its server."""
    query = "SELECT pg_is_in_recovery(), extract(epoch FROM clock_timestamp()) * 1000000"
    is_read_only, clock = connection.exec_driver_sql(query).one()
    return DatabaseFacts(
        "PostgreSQL",
        connection.exec_driver_sql("SHOW server_version").scalar_one(),
        revision_of(connection),
        HEAD,
        {name: value for name, value in connection.exec_driver_sql(_POSTGRESQL)},  # noqa: C416
        is_read_only,
        int(clock),
    )

"""A cluster of PostgreSQL with Citus for tests, which runs already."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from uptake.store.postgres import distribute, open_store
from uptake.store.tables import metadata
from uptake.testing.postgres import Postgres

SHARDS = 4
"""Shards of each table: to empty the tables takes a task for each."""

MAINTENANCE = "postgres"
"""The database from which others are created."""

_NODES = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 AND noderole = 'primary'"


@dataclass
class Cluster(Postgres):
    """The coordinator of a cluster; each database that is created on it is distributed.

    Attributes:
        coordinator: URL of a database on it, as a superuser, in which its workers are nodes.
    """

    coordinator: str = ""
    workers: Sequence[tuple[str, int]] = field(default_factory=list)

    def make(self) -> None:
        """See `Postgres.make`."""
        with closing(psycopg.connect(self.coordinator)) as connection:
            self.workers = [(host, port) for host, port in connection.execute(_NODES)]

    def start(self) -> None:
        """See `Postgres.start`; it runs."""

    def url(self, database: str = MAINTENANCE) -> str:
        """See `Postgres.url`."""
        return urlsplit(self.coordinator)._replace(path="/" + quote(database, safe="")).geturl()

    def create(self, database: str, template: str = "template0") -> str:
        """Create a distributed database on all nodes, and return its URL.

        Args:
            database: its name.
            template: ignored, as another database may be distributed.
        """
        del template
        self.drop(database)
        name = sql.Identifier(database)
        for node in self._nodes():
            self._on(
                node, MAINTENANCE, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name)
            )
            self._on(node, database, sql.SQL("CREATE EXTENSION citus"))
        own = urlsplit(self.coordinator)
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            at = own.hostname, own.port or 5432
            connection.execute("SELECT citus_set_coordinator_host(%s, %s)", at)
            for node in self.workers:
                connection.execute("SELECT citus_add_node(%s, %s)", node)
        open_store(self.url(database)).close()
        list(distribute(self.url(database), SHARDS))
        return self.url(database)

    def drop(self, database: str) -> None:
        """See `Postgres.drop`."""
        self.made.discard(database)
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        for node in self._nodes():
            self._on(node, MAINTENANCE, statement.format(sql.Identifier(database)))

    def dump(self, database: str) -> bytes:
        """See `Postgres.dump`: all rows as text.

        Args:
            database: its URL.
        """
        rows = []
        with closing(psycopg.connect(database)) as connection:
            for table in metadata.sorted_tables:
                query = sql.SQL("SELECT to_jsonb(t) FROM {} AS t")
                found = connection.execute(query.format(sql.Identifier(table.name)))
                rows += [str(row[0]) for row in found]
        return "\n".join(rows).encode()

    def pids(self) -> list[int]:
        """See `Postgres.pids`; they are on other machines."""
        return []

    @property
    def log(self) -> str:
        """See `Postgres.log`; it is on another machine."""
        return ""

    def _nodes(self) -> Iterator[tuple[str, int] | None]:
        """The coordinator as None, then the workers."""
        yield None
        yield from self.workers

    def _on(
        self,
        node: tuple[str, int] | None,
        database: str,
        statement: LiteralString | sql.SQL | sql.Composed,
    ) -> None:
        at: dict[str, Any] = {} if node is None else {"host": node[0], "port": node[1]}
        with closing(psycopg.connect(self.url(database), autocommit=True, **at)) as connection:
            connection.execute(statement)


@contextmanager
def cluster(coordinator: str) -> Iterator[Cluster]:
    """Use a cluster during the block.

    Args:
        coordinator: see `Cluster`. Databases with the names that tests use are replaced.
    """
    server = Cluster(Path(), coordinator=coordinator)
    server.make()
    yield server

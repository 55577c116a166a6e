"""Distribution of the tables on PostgreSQL with Citus: data by user, the rest on the coordinator.

All rows of a user are on one node, and statements about one user run there. The names of attributes
are joined with users of every node, so each node has a copy. Other tables stay on the coordinator,
which writes them in the transaction of an upload without a second node.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import LiteralString

from msgspec import Struct
from sqlalchemy import Connection, text

from uptake.store.base import StoreUnusable

BY_USER = (
    "users",
    "sample_batches",
    "sample_blocks",
    "documents",
    "images",
    "rejections",
    "receipt_blocks",
    "outbox",
    "segment_members",
)
"""Distributed by `user_id`, so that rows of a user are on one node."""

REFERENCE = ("attribute_names",)
"""Copied to every node. An upload writes to it only if its set of names is new."""

DISTRIBUTED = (*BY_USER, *REFERENCE)

HAS_CITUS: LiteralString = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
"""Whether the tables that `IS_DISTRIBUTED` reads exist."""

IS_DISTRIBUTED: LiteralString = """
    SELECT count(*) > 0 FROM pg_dist_partition WHERE logicalrelid = 'users'::regclass"""
"""Whether the data of users is distributed, rightly or not (`misplaced`)."""

_HAS_USERS = text("SELECT to_regclass('users') IS NOT NULL")
_PLACED = text("""
    SELECT
        logicalrelid::regclass::text AS name,
        partmethod = 'h' AS is_distributed,
        partmethod = 'n' AND repmodel = 't' AS is_reference,
        column_to_column_name(logicalrelid, partkey) AS column_name,
        colocationid AS colocation
    FROM pg_dist_partition""")
_NODES = text("""
    SELECT
        nodename || ':' || nodeport AS name,
        isactive AND shouldhaveshards AS has_shards,
        groupid
    FROM pg_dist_node
    WHERE groupid <> 0 AND noderole = 'primary'
    ORDER BY groupid""")
_SETTINGS = text("""
    SELECT nodename || ':' || nodeport AS node, success, result
    FROM run_command_on_all_nodes($$
        SELECT string_agg(name || '=' || reset_val, ' ' ORDER BY name) FROM pg_settings
        WHERE name IN (
            'fsync', 'full_page_writes', 'synchronous_commit', 'max_prepared_transactions'
        )
    $$) JOIN pg_dist_node USING (nodeid)""")
_DISCONNECT = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'uptake'
        AND pid <> pg_backend_pid()""")
_SHARDS = text("""
    SELECT shardcount AS shards, replicationfactor AS copies FROM pg_dist_colocation
    WHERE colocationid = (
        SELECT colocationid FROM pg_dist_partition WHERE logicalrelid = 'users'::regclass
    )""")


class Placement(Struct, frozen=True):
    """Where the rows of a table are.

    Attributes:
        kind: `local` on the coordinator, `reference` on every node, or `distributed`.
        column: that a distributed table is distributed by.
        colocation: tables with the same number have a user's rows on the same node.
    """

    kind: str
    column: str = ""
    colocation: int = 0

    def __str__(self) -> str:
        return f"distributed by {self.column}" if self.kind == "distributed" else self.kind


LOCAL = Placement("local")


class Distribution(Struct, frozen=True):
    """The distribution of a database.

    Attributes:
        placements: by table; a table that is missing is local.
        shards: of each distributed table; 0 before there is one.
        copies: of each shard.
    """

    placements: Mapping[str, Placement]
    shards: int = 0
    copies: int = 0

    def of(self, table: str) -> Placement:
        """Return the placement of a table."""
        return self.placements.get(table, LOCAL)

    def misplaced(self, tables: Collection[str]) -> dict[str, str]:
        """Return the tables that are not where they should be, each with what is found."""
        together = self.of(BY_USER[0]).colocation
        found = {}
        for name in sorted(tables):
            now = self.of(name)
            if name in BY_USER:
                right = now == Placement("distributed", "user_id", together)
            else:
                right = now.kind == ("reference" if name in REFERENCE else "local")
            if not right:
                elsewhere = name in BY_USER and now.column == "user_id"
                found[name] = f"{now}, elsewhere" if elsewhere else str(now)
        return found


def distribution_of(connection: Connection) -> Distribution:
    """Return the distribution of a database.

    Raises:
        StoreUnusable: it has no Citus.
    """
    if not connection.scalar(text(HAS_CITUS)):
        raise StoreUnusable(
            "the database lacks the extension citus; CREATE EXTENSION citus adds it where it is"
            " installed"
        )
    placements = {}
    for row in connection.execute(_PLACED):
        if row.is_distributed:
            placement = Placement("distributed", row.column_name, row.colocation)
        else:
            placement = Placement("reference") if row.is_reference else LOCAL
        placements[row.name] = placement
    shards = None
    if connection.scalar(_HAS_USERS):
        shards = connection.execute(_SHARDS).one_or_none()
    return Distribution(placements, *(shards or ()))


class DistributionFacts(Struct, frozen=True):
    """How the tables of a database are distributed.

    Attributes:
        nodes: names of the workers, each with whether it may have shards.
        shards: of each distributed table.
        copies: of each shard.
        tables: the placement of each table.
        misplaced: those that are not where they should be.
        faults: settings of nodes with which acknowledged data can be lost, or uploads fail.
    """

    nodes: dict[str, bool]
    shards: int
    copies: int
    tables: dict[str, str]
    misplaced: dict[str, str]
    faults: list[str]


UNSAFE = {
    "fsync=off": "fsync = on",
    "full_page_writes=off": "full_page_writes = on",
    "synchronous_commit=off": "synchronous_commit = on",
    "max_prepared_transactions=0": "max_prepared_transactions to at least max_connections",
}
"""Settings that a node must not have, and what to set instead."""


def distribution_facts(connection: Connection, tables: Collection[str]) -> DistributionFacts:
    """Read how the tables of a database are distributed.

    Raises:
        StoreUnusable: it is not distributed.
    """
    if not is_distributed(connection):
        raise StoreUnusable("the database is not distributed; `uptake db distribute` does it")
    now = distribution_of(connection)
    faults = []
    for row in connection.execute(_SETTINGS):
        if not row.success:
            faults.append(f"{row.node}: {row.result}")
        found = set(row.result.split()) & set(UNSAFE) if row.success else ()
        faults += [f"{row.node} has {one}: set {UNSAFE[one]}" for one in sorted(found)]
    return DistributionFacts(
        {row.name: row.has_shards for row in connection.execute(_NODES)},
        now.shards,
        now.copies,
        {name: str(now.of(name)) for name in sorted(tables)},
        now.misplaced(tables),
        faults,
    )


def require_placed(connection: Connection, tables: Collection[str]) -> None:
    """Check that the tables of a distributed database are where they should be.

    Raises:
        StoreUnusable: some are not: a migration created them, or an earlier version placed them.
    """
    misplaced = distribution_of(connection).misplaced(tables)
    if misplaced:
        raise StoreUnusable(
            f"tables are not distributed as they should be ({', '.join(misplaced)}); run"
            " `uptake db distribute`"
        )


def is_distributed(connection: Connection) -> bool:
    """Whether the data of users is distributed."""
    return bool(connection.scalar(text(HAS_CITUS)) and connection.scalar(text(IS_DISTRIBUTED)))


def steps(
    tables: Collection[str], now: Distribution, shards: int | None = None
) -> Iterator[tuple[str, str]]:
    """Yield what is left to do: the name of each table, and the statement that moves it.

    Args:
        tables: all that there are.
        now: where they are.
        shards: of each distributed table; None for the setting `citus.shard_count`.
    """
    misplaced = now.misplaced(tables)
    first = BY_USER[0]
    for name in (*BY_USER, *sorted(set(tables) - set(BY_USER))):
        if name not in misplaced:
            continue
        kind = now.of(name).kind
        if kind != "local" and not (kind == "distributed" and name in BY_USER):
            yield name, f"SELECT undistribute_table('{name}')"
        together = "none" if name == first else first
        if name in BY_USER and kind == "distributed":
            columns = f"distribution_column => 'user_id', colocate_with => '{together}'"
            yield name, f"SELECT alter_distributed_table('{name}', {columns})"
        elif name in BY_USER:
            count = f", shard_count => {shards}" if shards and name == first else ""
            where = f"colocate_with => '{together}'{count}"
            yield name, f"SELECT create_distributed_table('{name}', 'user_id', {where})"
        elif name in REFERENCE:
            yield name, f"SELECT create_reference_table('{name}')"


def distribute(
    connection: Connection, tables: Collection[str], shards: int | None = None
) -> Iterator[tuple[str, str]]:
    """Move the tables that are not where they should be; each with its statement, when it is done.

    Args:
        connection: that commits each statement.
        tables: all that there are.
        shards: of each distributed table; None for what is set or was chosen before.

    Raises:
        StoreUnusable: the database has no Citus, or has another number of shards.
    """
    now = distribution_of(connection)
    if shards is not None and now.shards not in (0, shards):
        raise StoreUnusable(
            f"the tables have {now.shards} shards; change their number with"
            f" SELECT alter_distributed_table('{BY_USER[0]}', shard_count => {shards},"
            " cascade_to_colocated => true)"
        )
    for name, statement in steps(tables, now, shards):
        connection.execute(text(statement))
        # Servers connect again, and notice that they need other statements.
        connection.execute(_DISCONNECT)
        yield name, statement

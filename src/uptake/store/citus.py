"""PostgreSQL with Citus: the data of users is distributed over the nodes of a cluster.

The users of one node are written in one transaction, which Citus commits on that node and then on
the coordinator, without two-phase commit. So what the coordinator has (receipts, the log of
changes, the commit sequence) is visible only when the users' data is. A transaction with users of
several nodes is prepared on each and visible on the coordinator first; who follows the log or the
commit sequence waits for the nodes (`settle`).
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from sqlalchemy import Connection, Engine, text

from uptake.store.base import StoreUnavailable
from uptake.store.citus_writer import CitusWriter
from uptake.store.commit_sequence import WRITER_SLOTS
from uptake.store.database import translated
from uptake.store.postgres import PIPELINE, PostgresStore
from uptake.store.records import Entry
from uptake.store.stored import Committed, ProfilePages
from uptake.store.user_queries import SqlUserQueries

SETTLE_SECONDS = 10.0
"""How long `settle` waits. A commit takes milliseconds; after the failure of a node, Citus finishes
it within `citus.recover_2pc_interval`, a minute by default: callers retry."""

SETTLE_PAUSE_SECONDS = 0.02

NODES_SECONDS = 10.0
"""How long the nodes of users are remembered. A shard may be moved: until then, its users may be
committed with those of another node, in two phases."""

MAX_NODES = 65_536
"""Users with a remembered node: 10 MB."""

_ONE_CONNECTION = text("SELECT set_config('citus.max_adaptive_executor_pool_size', '1', true)")
"""To each node. By default Citus opens more, with transactions that begin later."""

_ALL_NODES = text("SELECT count(*) FROM users WHERE project_id = '' AND user_id < ''")
"""A query of every shard that finds nothing."""

_NODES = text("""
    SELECT users.user_id, min(placement.groupid) AS node
    FROM unnest(CAST(:user_ids AS text[])) AS users (user_id)
    JOIN pg_dist_placement AS placement
        ON placement.shardid = get_shard_id_for_distribution_column('users', users.user_id)
    GROUP BY users.user_id""")

_MAY_BE_PREPARED = text("SELECT EXISTS (SELECT FROM pg_dist_transaction)")
"""Citus deletes the rows of finished transactions every minute."""

_PREPARED = text("""
    SELECT nodename || ':' || nodeport AS node, success, result
    FROM run_command_on_workers($$
        SELECT coalesce(string_agg(gid, ' '), '') FROM pg_prepared_xacts
        WHERE gid LIKE 'citus\\_%' AND database = current_database()
    $$)""")


class CitusStore(PostgresStore):
    """See `PostgresStore`."""

    spare_writers = 4

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._nodes: dict[str, int] = {}
        self._forget_at = 0.0

    def writer(self, connection: Connection) -> CitusWriter:
        """See `Database.writer`.

        Parts of a group are written at the same time. Each connection has its own writer slot: with
        the same slot, the parts would wait for each other.
        """
        pipeline = connection.info[PIPELINE]
        return CitusWriter(pipeline, pipeline.session % WRITER_SLOTS)

    def parts(self, entries: Sequence[Entry]) -> list[Sequence[int]]:
        """See `Commits.parts`."""
        users = [_users_of(entry) for entry in entries]
        everyone = set().union(*users)
        if len(everyone) < 2:
            return [range(len(entries))]
        nodes = self._nodes_of(everyone)
        return _joined([{nodes[user] for user in some if user in nodes} for some in users])

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """See `Commits.commit`."""
        try:
            return super().commit(entries)
        except StoreUnavailable:
            # A node failed: only its users shall wait for it.
            self._forget_at = 0.0
            raise

    def _nodes_of(self, users: Collection[str]) -> dict[str, int]:
        now = time.monotonic()
        if now > self._forget_at or len(self._nodes) > MAX_NODES:
            self._nodes, self._forget_at = {}, now + NODES_SECONDS
        if unknown := [user for user in users if user not in self._nodes]:
            with translated(), self._statements() as connection:
                found = connection.execute(_NODES, {"user_ids": unknown})
                self._nodes |= {row.user_id: row.node for row in found}
        return self._nodes

    def settle(self) -> None:
        """See `Database.settle`."""
        until = time.monotonic() + SETTLE_SECONDS
        with translated(), self._statements() as connection:
            if not connection.scalar(_MAY_BE_PREPARED):
                return
            unfinished = _prepared(connection)
            while unfinished:
                if time.monotonic() > until:
                    raise StoreUnavailable("a transaction on several nodes is not finished yet")
                time.sleep(SETTLE_PAUSE_SECONDS)
                unfinished &= _prepared(connection)

    def profiles(self, project: str, after: str, limit: int, *, seen: bool) -> ProfilePages:
        """See `UserQueries.profiles`.

        By one connection: others cannot see what its transactions on the nodes see.
        """
        return SqlUserQueries.profiles(self, project, after, limit, seen=seen)

    @contextmanager
    def scanning(self, connection: Connection) -> Iterator[None]:
        """See `SqlUserQueries.scanning`."""
        self.begin_snapshot(connection)
        yield

    def begin_snapshot(self, connection: Connection) -> None:
        """See `Database.begin_snapshot`.

        Each node has a transaction of its own, which sees one state from its first query on.
        """
        self.settle()
        connection.execute(_ONE_CONNECTION)
        connection.execute(_ALL_NODES)

    def _statements(self) -> Connection:
        """A connection on which each statement is a transaction."""
        return self.engine.execution_options(isolation_level="AUTOCOMMIT").connect()


def _users_of(entry: Entry) -> set[str]:
    """The users with rows that an entry writes; "" for rejections without a user."""
    resolved = entry.resolves.user_ids if entry.resolves is not None else ()
    items = chain(entry.records, entry.rejections)
    return {item.user_id for item in items} | set(resolved)


def _joined(nodes: Sequence[Collection[int]]) -> list[Sequence[int]]:
    """Divide entries, given by their nodes: those that share a node are together, in order."""
    parts: list[tuple[set[int], list[int]]] = []
    for number, some in enumerate(nodes):
        mine, others = (set(some), [number]), []
        for part in parts:
            if part[0].isdisjoint(some):
                others.append(part)
            else:
                mine = (mine[0] | part[0], part[1] + mine[1])
        parts = [*others, mine]
    with_nodes = [numbers for found, numbers in parts if found] or [[]]
    with_nodes[0] += [number for found, numbers in parts if not found for number in numbers]
    return [sorted(numbers) for numbers in with_nodes]


def _prepared(connection: Connection) -> set[str]:
    """The transactions that are prepared on a node."""
    found: set[str] = set()
    for row in connection.execute(_PREPARED):
        if not row.success:
            raise StoreUnavailable(f"node {row.node} cannot be read: {row.result}")
        found.update(row.result.split())
    return found

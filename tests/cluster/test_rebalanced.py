"""Shards are moved between the nodes under load: uploads go on, and nothing is lost."""

from contextlib import closing
from pathlib import Path

import psycopg

from cluster.load import EVERYONE, Load
from nodes import two_nodes
from uptake.testing.postgres import Postgres

_PLACEMENTS = """
    SELECT shardid, nodename, nodeport FROM pg_dist_shard
    JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
    WHERE logicalrelid = 'users'::regclass ORDER BY shardid"""
_MOVE = "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'force_logical')"


def test_the_cluster_may_be_rebalanced_under_load(postgresql: Postgres, tmp_path: Path) -> None:
    """All shards of a node are moved away, and the rebalancer moves some back."""
    database = postgresql.create("rebalanced")
    with (
        closing(psycopg.connect(database, autocommit=True)) as connection,
        two_nodes(tmp_path, database) as servers,
    ):
        load = Load(servers, EVERYONE)
        with load.sending():
            load.wait_for_all()
            placements = connection.execute(_PLACEMENTS).fetchall()
            nodes = sorted({tuple(node) for _, *node in placements})
            assert len(nodes) > 1
            for shard, *node in placements:
                if tuple(node) == nodes[0]:
                    connection.execute(_MOVE, (shard, *node, *nodes[1]))
            load.wait_for_all()
            connection.execute("SELECT citus_rebalance_start()")
            connection.execute("SELECT citus_rebalance_wait()")
            load.wait_for_all()
            assert sorted({tuple(node) for _, *node in connection.execute(_PLACEMENTS)}) == nodes
        assert load.statuses() <= {200, 503}
        load.check_stored()

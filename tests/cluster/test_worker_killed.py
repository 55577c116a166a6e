"""A worker is killed under load: its users get 503, others are served, and nothing is lost.

`STOP_WORKER` and `START_WORKER` are commands that kill and start the worker `WORKER` (host:port).
"""

import os
from pathlib import Path

import psycopg
import pytest

from cluster.load import EVERYONE, TABLE, USERS, Load, run_command
from nodes import two_nodes
from uptake.testing.postgres import Postgres

_WORKER_OF = """
    SELECT nodename || ':' || nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
    WHERE shardid = get_shard_id_for_distribution_column('users', %s::text)"""


@pytest.mark.parametrize("senders", [USERS, EVERYONE], ids=["samples", "tables"])
def test_a_worker_may_be_killed_under_load(
    postgresql: Postgres, tmp_path: Path, senders: list[str]
) -> None:
    """503 for its users, 200 for others; when it is back, all that was acknowledged is there.

    A table with users of all nodes fails, and with it what is committed together with it.
    """
    database = postgresql.create("worker_killed")
    with psycopg.connect(database) as connection:
        of_worker = {u: connection.execute(_WORKER_OF, (u,)).fetchone() for u in USERS}
    its = [user_id for user_id in USERS if of_worker[user_id] == (os.environ["WORKER"],)]
    others = [user_id for user_id in USERS if user_id not in its]
    assert its
    assert others
    with two_nodes(tmp_path, database) as servers:
        load = Load(servers, senders)
        with load.sending():
            load.wait_for_all()
            run_command("STOP_WORKER")
            try:
                load.wait([*its, *set(senders) - set(USERS)], 503)
                load.wait(others, 200)
                failed = {sender for sender, status in load.answered if status != 200}
            finally:
                run_command("START_WORKER")
            load.wait_for_all()
        assert TABLE in senders or failed <= set(its)
        assert load.statuses() == {200, 503}
        load.check_stored()

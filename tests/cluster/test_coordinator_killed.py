"""The coordinator is killed under load and started again: nothing acknowledged is lost.

`STOP_COORDINATOR` and `START_COORDINATOR` are commands that kill and start it.
"""

from pathlib import Path

from cluster.load import EVERYONE, Load, run_command
from nodes import two_nodes
from uptake.testing.postgres import Postgres


def test_the_coordinator_may_be_killed_under_load(postgresql: Postgres, tmp_path: Path) -> None:
    """503 without it; when it is back, all that was acknowledged is there, and clients go on."""
    database = postgresql.create("coordinator_killed")
    with two_nodes(tmp_path, database) as servers:
        load = Load(servers, EVERYONE)
        with load.sending():
            load.wait_for_all()
            run_command("STOP_COORDINATOR")
            try:
                load.wait(EVERYONE, 503)
            finally:
                run_command("START_COORDINATOR")
            load.wait_for_all()
        assert load.statuses() == {200, 503}
        load.check_stored()

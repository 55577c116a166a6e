"""Two servers on one database: either may go at any moment, and nothing is lost or doubled."""

import time
from functools import partial
from pathlib import Path

from nodes import Undaunted, two_nodes
from uptake.testing.postgres import Postgres

from .ledger import ALL_KINDS, BOUND_USER, Ledger, Load, send_documents_again, verify
from .uploads import Uploads, keys_of, log_of

LOAD_SECONDS = 0.5
"""Of load before and after what happens to a server."""


def test_either_server_may_be_killed_or_stopped_under_load(
    postgresql: Postgres, tmp_path: Path
) -> None:
    """Clients who are not answered, or with 503, send again to the other: all is there, once."""
    ledger = Ledger()
    with two_nodes(tmp_path, postgresql.create("replaced")) as servers:
        keys = keys_of(servers[0], BOUND_USER)
        load = Load(ledger, servers[0].url, keys, threads=2, transport=partial(Undaunted, servers))
        load.start(first=0)
        time.sleep(LOAD_SECONDS)
        servers[1].kill()
        time.sleep(LOAD_SECONDS)
        servers[1].start()
        time.sleep(LOAD_SECONDS)
        assert servers[0].stop() == 0
        time.sleep(LOAD_SECONDS)
        load.end()
        assert load.broken == []
        assert ledger.kinds == ALL_KINDS
        assert ledger.sent_documents.keys() == ledger.documents.keys()
        assert ledger.sent_samples == ledger.samples
        assert sorted(ledger.sent_attributes) == sorted(ledger.attributes)
        uploads = Uploads(servers[1].url, *keys)
        send_documents_again(ledger, uploads)
        verify(ledger, uploads)
        uploads.close()
        assert "Traceback" not in log_of(servers[1]) + servers[0].log

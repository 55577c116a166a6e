"""A server that is asked to stop finishes what it has begun."""

import time
from pathlib import Path

import httpx2

from uptake.testing.live import LiveServer

from .ledger import ALL_KINDS, BOUND_USER, Ledger, Load, verify
from .uploads import Uploads, keys_of

LEAVING = (
    httpx2.ConnectError,
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.RemoteProtocolError,
)
"""How a client sees a connection that is closed or no longer taken."""


def test_stopped_under_mixed_load_it_exits_with_0_and_keeps_what_it_acknowledged(
    data_dir: Path,
) -> None:
    """Clients get answers or closed connections; none is left waiting."""
    ledger = Ledger()
    server = LiveServer(data_dir)
    server.start()
    keys = keys_of(server, BOUND_USER)
    try:
        load = Load(ledger, server.url, keys, threads=6)
        load.start(first=0)
        time.sleep(1.0)
        status = server.stop()
        load.end()
        assert status == 0, server.log
        assert all(isinstance(error, LEAVING) for error in load.broken), load.broken
        assert "Traceback" not in server.log
        server.start()
        uploads = Uploads(server.url, *keys)
        assert ledger.kinds == ALL_KINDS
        verify(ledger, uploads)
        uploads.close()
    finally:
        server.kill()

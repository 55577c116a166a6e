"""A server that is killed loses nothing that it has acknowledged."""

import os
import random
import signal
import socket
import time
from pathlib import Path

from uptake.testing.live import LiveServer, serving

from .ledger import ALL_KINDS, BOUND_USER, Ledger, Load, send_documents_again, verify
from .uploads import Uploads, keys_of

ROUNDS = 3


def test_killed_under_mixed_load_everything_acknowledged_is_there_once(data_dir: Path) -> None:
    """SIGKILL at random moments, a restart on the same folder each time."""
    moments = random.Random(os.urandom(8))
    ledger = Ledger()
    server = LiveServer(data_dir)
    server.start()
    keys = keys_of(server, BOUND_USER)
    try:
        for round_number in range(ROUNDS):
            load = Load(ledger, server.url, keys)
            load.start(first=round_number * 100_000)
            time.sleep(moments.uniform(0.4, 1.5))
            server.kill()
            load.end()
            server.start()
            uploads = Uploads(server.url, *keys)
            verify(ledger, uploads)
            uploads.close()
        uploads = Uploads(server.url, *keys)
        assert ledger.kinds == ALL_KINDS
        send_documents_again(ledger, uploads)
        verify(ledger, uploads)
        uploads.close()
    finally:
        server.kill()


def test_killing_the_first_process_ends_all_of_them(data_dir: Path) -> None:
    """No process keeps the port that the next server needs."""
    with serving(data_dir, "--workers", "2") as server:
        assert server.process is not None
        port = int(server.url.rpartition(":")[2])
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        until = time.monotonic() + 20
        while _answers(port):
            assert time.monotonic() < until
            time.sleep(0.02)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True

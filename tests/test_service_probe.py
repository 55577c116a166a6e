"""The probe of the attack tests fails when a server does not serve."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from service_probe import INTERVAL_SECONDS, MIN_ROUNDS, probing
from uptake.testing.live import LiveServer, serving

LIMIT = 1.0
BLOCKED_SECONDS = 1.5


def _block(process: int) -> None:
    os.killpg(process, signal.SIGSTOP)
    time.sleep(BLOCKED_SECONDS)
    os.killpg(process, signal.SIGCONT)


def _lock(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    time.sleep(BLOCKED_SECONDS)
    database.rollback()


def test_the_probe_passes_on_a_healthy_server(live: LiveServer, honest_key: str) -> None:
    """It sends its requests several times, even when the block ends at once."""
    with probing([live.url], honest_key) as probe:
        pass
    assert [len(seconds) for seconds in probe.latencies.values()] == [MIN_ROUNDS] * 2
    with probing([live.url], honest_key) as probe:
        time.sleep(MIN_ROUNDS * 4 * INTERVAL_SECONDS)
    assert min(len(seconds) for seconds in probe.latencies.values()) > MIN_ROUNDS


def test_the_probe_fails_when_the_server_is_blocked(data_dir: Path) -> None:
    """All processes of the server stop for longer than an answer may take."""
    with serving(data_dir) as server:
        key = server.create_key()
        assert server.process is not None
        with pytest.raises(AssertionError, match="upload"), probing([server.url], key, limit=LIMIT):
            _block(server.process.pid)


def test_the_probe_fails_when_writes_are_blocked(data_dir: Path) -> None:
    """Readiness is answered in time, and uploads are not."""
    with serving(data_dir) as server, closing(sqlite3.connect(data_dir / "uptake.db")) as database:
        key = server.create_key()
        with pytest.raises(AssertionError, match="upload"), probing([server.url], key, limit=LIMIT):
            _lock(database)


def test_the_probe_fails_when_uploads_are_rejected(live: LiveServer) -> None:
    """An answer that is fast is not enough."""
    with pytest.raises(AssertionError, match="upload: 401"), probing([live.url], "up_unknown"):
        pass


def test_the_probe_fails_when_the_server_dies(data_dir: Path) -> None:
    """It cannot connect."""
    with serving(data_dir) as server:
        key = server.create_key()
        with pytest.raises(AssertionError, match="ConnectError"), probing([server.url], key):
            server.kill()


def test_the_probe_does_not_hide_the_error_of_the_block(live: LiveServer) -> None:
    """The attack's own assertion is shown, not that of the probe."""
    with pytest.raises(ZeroDivisionError), probing([live.url], "up_unknown"):
        _ = 1 / 0

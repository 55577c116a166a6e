"""A database server that is killed under load, and comes back."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import LiveServer, serving
from uptake.testing.postgres import Postgres, postgres

from .ledger import ALL_KINDS, BOUND_USER, Ledger, Load, send_documents_again, verify
from .test_disk import OPERATIONS
from .uploads import Uploads, keys_of, log_of, problem_of

ROUNDS = 2
LOAD_SECONDS = 0.7
BACK_WITHIN = 10.0
"""Seconds in which a server goes on after its database has come back."""


@pytest.fixture
def database() -> Iterator[Postgres]:
    """A PostgreSQL that the test may harm."""
    with postgres() as server:
        yield server


def _processes(server: LiveServer) -> str:
    assert server.process is not None
    main = server.process.pid
    return Path(f"/proc/{main}/task/{main}/children").read_text()


def _assert_unavailable(server: LiveServer, uploads: Uploads) -> None:
    """All endpoints answer 503, in each vendor's envelope; the server lives, but is not ready."""
    for name, send in uploads.one_of_each(BOUND_USER, 7_000_000).items():
        answer = send()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        problem = problem_of(name, answer)
        assert OPERATIONS[name] in problem
    for path, status in (("ready", 503), ("live", 200)):
        assert uploads.get(f"/health/{path}").status_code == status
    read = uploads.get(f"{server.url}/uptake/v1/users/1")
    assert read.status_code == 401  # `get` carries no key; and that needs no database


def test_killed_under_load_it_is_missed_until_it_is_back(
    database: Postgres, data_dir: Path
) -> None:
    """Responses are 503 until then; no acknowledged data is lost; the processes are the same."""
    ledger = Ledger()
    address = database.create("uptake")
    with serving(data_dir, "--workers", "2", database=address) as server:
        keys = keys_of(server, BOUND_USER)
        uploads = Uploads(server.url, *keys)
        processes = _processes(server)
        for number in range(ROUNDS):
            load = Load(ledger, server.url, keys)
            load.start(first=number * 100_000)
            time.sleep(LOAD_SECONDS)
            database.crash()
            _assert_unavailable(server, uploads)
            database.start()
            _wait_until_it_takes(uploads)
            time.sleep(LOAD_SECONDS)
            load.end()
            assert load.broken == []
            verify(ledger, uploads)
        assert ledger.kinds == ALL_KINDS
        send_documents_again(ledger, uploads)
        verify(ledger, uploads)
        uploads.close()
        assert processes == _processes(server)
        assert "Traceback" not in log_of(server)


def _wait_until_it_takes(uploads: Uploads) -> None:
    until = time.monotonic() + BACK_WITHIN
    while uploads.attributes({"1": {"back": "x"}}).status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_server_does_not_notice_that_its_resting_database_was_restarted(
    database: Postgres, data_dir: Path
) -> None:
    """Not one request fails when nothing was under way."""
    with serving(data_dir, database=database.create("uptake")) as server:
        keys = keys_of(server, BOUND_USER)
        uploads = Uploads(server.url, *keys)
        for number in range(3):
            answers = [send() for send in uploads.one_of_each(BOUND_USER, number).values()]
            assert [answer.status_code for answer in answers] == [200] * 5
            database.stop()
            database.start()
        assert uploads.read(f"/users/{BOUND_USER}")["documents"] == 3
        uploads.close()
        assert httpx2.get(f"{server.url}/health/ready").status_code == 200

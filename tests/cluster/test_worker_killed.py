"""A worker is killed under load: its users get 503, others are served, and nothing is lost.

`STOP_WORKER` and `START_WORKER` are commands that kill and start the worker `WORKER` (host:port).
"""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psycopg
import pytest

from nodes import two_nodes
from uptake.testing.live import LiveServer
from uptake.testing.postgres import Postgres

USERS = 24
WAIT_SECONDS = 120.0
"""For a number of answers: a loaded machine takes its time."""

ANSWERS = 5
"""Answers of each user in each phase."""

_WORKER_OF = """
    SELECT nodename || ':' || nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
    WHERE shardid = get_shard_id_for_distribution_column('users', %s::text)"""


class Load:
    """One thread for each user, which sends samples one upload after another.

    Attributes:
        answered: by user and status, the number of answers.
        stored: by user, the uploads that were acknowledged.
    """

    def __init__(self, servers: list[LiveServer], key: str) -> None:
        self._servers = servers
        self._key = key
        self._ended = threading.Event()
        self.answered: Counter[tuple[str, int]] = Counter()
        self.stored: Counter[str] = Counter()

    @contextmanager
    def sending(self, users: list[str]) -> Iterator[None]:
        """Send during the block."""
        threads = [
            threading.Thread(target=self._send, args=(user_id, self._servers[at % 2].url))
            for at, user_id in enumerate(users)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _send(self, user_id: str, url: str) -> None:
        with httpx2.Client(base_url=url, timeout=60) as client:
            while not self._ended.is_set():
                number = self.stored[user_id]
                answer = client.post(
                    "/api/v2.2/samples",
                    json=_body(user_id, number),
                    headers={"Authorization": f"Bearer {self._key}"},
                )
                self.answered[user_id, answer.status_code] += 1
                self.stored[user_id] += answer.status_code == 200
                self._ended.wait(0.05)

    def wait(self, users: list[str], status: int) -> None:
        """Wait until each of these users has so many further answers of a status."""
        before = self.answered.copy()
        until = time.monotonic() + WAIT_SECONDS
        while any(self.answered[u, status] < before[u, status] + ANSWERS for u in users):
            assert time.monotonic() < until, (status, self.answered)
            time.sleep(0.05)


def _body(user_id: str, number: int) -> dict[str, object]:
    hour, minute = divmod(number, 60)
    start = f"2024-01-{1 + hour // 24:02}T{hour % 24:02}:{minute:02}"
    samples = [
        {
            "device_name": "a",
            "unit": "count",
            "value": 1,
            "start_date": f"{start}:{at:02}Z",
        }
        for at in range(3)
    ]
    return {"user_id": user_id, "data_type": "steps", "data": samples}


def _command(name: str) -> None:
    subprocess.run(["sh", "-c", os.environ[name]], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def worker() -> str:
    """The worker that the commands are about."""
    return os.environ["WORKER"]


def test_a_worker_may_be_killed_under_load(
    postgresql: Postgres, tmp_path: Path, worker: str
) -> None:
    """503 for its users, 200 for others; when it is back, all that was acknowledged is there."""
    database = postgresql.create("worker_killed")
    users = [f"user {number}" for number in range(USERS)]
    with psycopg.connect(database) as connection:
        of_worker = {u: connection.execute(_WORKER_OF, (u,)).fetchone() for u in users}
    its = [user_id for user_id in users if of_worker[user_id] == (worker,)]
    others = [user_id for user_id in users if user_id not in its]
    assert its
    assert others
    with two_nodes(tmp_path, database) as servers:
        key = servers[0].create_key()
        load = Load(servers, key)
        with load.sending(users):
            load.wait(users, 200)
            _command("STOP_WORKER")
            try:
                load.wait(its, 503)
                load.wait(others, 200)
                failed = {user_id for user_id, status in load.answered if status != 200}
            finally:
                _command("START_WORKER")
            load.wait(users, 200)
        assert failed <= set(its)
        assert {status for _, status in load.answered} == {200, 503}
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=servers[0].url, headers=headers, timeout=60) as client:
            for user_id in users:
                user = client.get(f"/uptake/v1/users/{user_id}").json()
                assert user["samples"]["steps"]["count"] == 3 * load.stored[user_id]
        assert "Traceback" not in servers[0].log + servers[1].log

"""Uploads of many users at the same time, and what of them is stored."""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from uptake.testing.live import LiveServer

USERS = [f"user {number}" for number in range(24)]
TABLE = "table"
"""The sender of attributes of all users, which are committed on several nodes."""

EVERYONE = [*USERS, TABLE]
WAIT_SECONDS = 120.0
"""For a number of answers: a loaded machine takes its time."""

ANSWERS = 5
"""Answers of each user in each phase."""


def run_command(name: str) -> None:
    """Run the command that an environment variable has."""
    subprocess.run(["sh", "-c", os.environ[name]], check=True, stdout=subprocess.DEVNULL)


class Load:
    """One thread for each user, which sends samples, and one which sends attributes of all users.

    Args:
        servers: of the same database.
        senders: users, and `TABLE`.

    Attributes:
        answered: by user and status, the number of answers.
        stored: by user, the uploads that were acknowledged.
    """

    def __init__(self, servers: list[LiveServer], senders: list[str]) -> None:
        self._senders = senders
        self._servers = servers
        self._key = servers[0].create_key()
        self._ended = threading.Event()
        self.answered: Counter[tuple[str, int]] = Counter()
        self.stored: Counter[str] = Counter()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send during the block."""
        threads = [
            threading.Thread(target=self._send, args=(sender, self._servers[at % 2].url))
            for at, sender in enumerate(self._senders)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _send(self, sender: str, url: str) -> None:
        with self._client(url) as client:
            while not self._ended.is_set():
                number = self.stored[sender]
                path, body = (_table if sender == TABLE else _samples)(sender, number)
                status = client.post(path, json=body).status_code
                self.answered[sender, status] += 1
                self.stored[sender] += status == 200
                self._ended.wait(0.05)

    def _client(self, url: str) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self._key}", "api-key": self._key}
        return httpx2.Client(base_url=url, headers=headers, timeout=60)

    def wait(self, senders: list[str], status: int) -> None:
        """Wait until each of these has so many further answers of a status."""
        before = self.answered.copy()
        until = time.monotonic() + WAIT_SECONDS
        while any(self.answered[one, status] < before[one, status] + ANSWERS for one in senders):
            assert time.monotonic() < until, (status, self.answered)
            time.sleep(0.05)

    def statuses(self) -> set[int]:
        """The statuses of all answers."""
        return {status for _, status in self.answered}

    def wait_for_all(self) -> None:
        """Wait until everyone has further answers of 200."""
        self.wait(self._senders, 200)

    def check_stored(self) -> None:
        """Check that everything that was acknowledged is stored, once, and no error was logged."""
        with self._client(self._servers[0].url) as client:
            for user_id in USERS:
                user = client.get(f"/uptake/v1/users/{user_id}").json()
                assert user["samples"]["steps"]["count"] == 3 * self.stored[user_id], user_id
                if TABLE in self._senders:
                    assert user["attributes"]["uploads"] == str(self.stored[TABLE] - 1), user_id
        assert all("Traceback" not in server.log for server in self._servers)


def _table(_sender: str, number: int) -> tuple[str, dict[str, object]]:
    values = [[user_id, str(number)] for user_id in USERS]
    return "/v1/user/profiles", {"field_name": ["user_id", "uploads"], "values": values}


def _samples(user_id: str, number: int) -> tuple[str, dict[str, object]]:
    hour, minute = divmod(number, 60)
    start = f"2024-01-{1 + hour // 24:02}T{hour % 24:02}:{minute:02}"
    samples = [
        {"device_name": "a", "unit": "count", "value": 1, "start_date": f"{start}:{at:02}Z"}
        for at in range(3)
    ]
    return "/api/v2.2/samples", {"user_id": user_id, "data_type": "steps", "data": samples}

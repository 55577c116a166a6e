"""Every route at its limits for a while: memory stays bounded, and honest requests are answered."""

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import httpx2
import pytest
from benchmarks.memory import MEGABYTE, MemoryLog, proportional_bytes

from service_probe import SECONDS, probing
from uptake.settings import Settings
from uptake.testing.live import ALL_WRITES, LiveServer, serving
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import unique

from .heavy import USER, Asked, Requests, fill
from .pictures import picture
from .raw import connected, request
from .uploads import keys_of, log_of

SOAK_SECONDS = float(os.environ.get("UPTAKE_SOAK_SECONDS", "10"))
"""The duration for each engine; a minute or more finds more."""

CLIENTS = 6
KEYS = 3
"""Clients that ask for everything, two for each key."""

PATIENCE_SECONDS = 0.3
"""After which a client that goes away does."""

LAST_SECONDS = 3.0
"""How long they wait for answers after the end."""

GROWN_MEGABYTES = 1500
"""More than before: twice the memory of an answer, and what exports and segments hold."""

STOPPED_SECONDS = 20.0
TIMEOUT = 120.0


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A server of its own with the heavy user, on either engine."""
    database = ""
    if request.param == "postgresql":
        postgresql: Postgres = request.getfixturevalue("postgresql")
        database = postgresql.create(unique("soak"))
    data_dir = tmp_path_factory.mktemp("soak") / "data"
    fill(Settings(data_dir=data_dir, database=database))
    with serving(data_dir, database=database) as running:
        yield running


@contextmanager
def _running(*work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Work in threads while the block runs."""
    stop = threading.Event()
    threads = [threading.Thread(target=one, args=(stop,)) for one in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT)


class Greedy:
    """A client that asks for everything, and goes away before many an answer."""

    def __init__(self, url: str, keys: tuple[str, str], requests: Requests, number: int) -> None:
        self._client = httpx2.Client(base_url=url, timeout=TIMEOUT)
        self._key, self._bound_key = keys
        self._until = time.monotonic() + SOAK_SECONDS + LAST_SECONDS
        self._requests = requests
        self._chance = random.Random(number)
        self.seen: Counter[tuple[str, int]] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            for asked in self._requests.all(self._chance):
                if stop.is_set():
                    break
                self._send(asked, stop)
        self._client.close()

    def _send(self, asked: Asked, stop: threading.Event) -> None:
        leaves = self._chance.random() < 0.4
        key = self._bound_key if asked.path.startswith("/api/v1.1/") else self._key
        try:
            with self._client.stream(
                asked.method,
                asked.path,
                params=asked.query,
                content=asked.body,
                files=asked.files,
                headers={"Authorization": f"Bearer {key}", "x-api-key": key},
                timeout=PATIENCE_SECONDS if leaves else max(1.0, self._until - time.monotonic()),
            ) as answer:
                self.seen[f"{asked.method} {asked.path}", answer.status_code] += 1
                for _ in answer.iter_bytes():
                    if leaves or stop.is_set():
                        break
        except httpx2.HTTPError:
            if not leaves and not stop.is_set():
                self.seen[f"{asked.method} {asked.path}", 0] += 1


def test_every_route_at_its_limits_for_a_while(server: LiveServer) -> None:
    """No answer is 500, memory is bounded, and honest clients hardly notice."""
    assert server.process is not None
    greedy_scopes = (*ALL_WRITES, "data:read", "data:erase", "admin")
    keys = [server.create_key(*greedy_scopes) for _ in range(KEYS)]
    keys_of(server, "honest")
    api = httpx2.get(f"{server.url}/openapi.json", timeout=TIMEOUT).json()
    requests = Requests(api, keys[0], picture(1))
    assert len(requests.operations) >= 40
    bound = server.create_key("samples:write", user="soak-0")
    honest = server.create_key("samples:write")
    clients = [
        Greedy(server.url, (keys[number % KEYS], bound), requests, number)
        for number in range(CLIENTS)
    ]
    before = proportional_bytes(server.process.pid) / MEGABYTE
    log = MemoryLog(server.process.pid)
    with probing([server.url], honest) as probe, _running(*(one.run for one in clients)):
        time.sleep(SOAK_SECONDS)
    log.stop()
    seen = sum((one.seen for one in clients), Counter())
    assert {status for _, status in seen} & {0, 500} == set(), seen
    for seconds in probe.latencies.values():
        assert median(seconds) < SECONDS, sorted(seconds)
    assert log.peak_megabytes < before + GROWN_MEGABYTES
    assert "Traceback" not in log_of(server)
    _require_rest(server)


def test_work_stops_when_its_clients_have_gone(server: LiveServer) -> None:
    """Soon no thread works for them, and others are answered."""
    key = server.create_key("data:read")
    path = f"/uptake/v1/users/{USER}/rollups?metric=steps&every=day".encode()
    head = {b"Authorization": b"Bearer " + key.encode()}
    for _ in range(10):
        with connected(server.url) as connection:
            connection.sendall(request(b"GET", path, head))
            time.sleep(0.1)
    _require_rest(server)
    assert _metric(server, 'uptake_work_stopped_total{executor="slow",reason="gone"}') > 0
    assert httpx2.get(f"{server.url}/health/ready", timeout=TIMEOUT).status_code == 200


def _require_rest(server: LiveServer) -> None:
    """Without requests, the server must become idle after a while."""
    until = time.monotonic() + STOPPED_SECONDS
    while running := _metric(server, 'uptake_work_running{executor="slow"}'):
        assert time.monotonic() < until, running
        time.sleep(0.1)


def _metric(server: LiveServer, name: str) -> float:
    text = httpx2.get(f"{server.url}/metrics", timeout=TIMEOUT).text
    found = re.search(rf"^{re.escape(name)} (.*)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0

"""Checks that a server goes on serving honest clients while a test attacks it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

SECONDS = 2.0
"""The time within which an honest client gets its answer, whatever others do."""

SLOW_MACHINE = 3.0
"""How many times that long an answer may take on a machine that runs other tests beside."""

INTERVAL_SECONDS = 0.2
MIN_ROUNDS = 3
TIMEOUT = 60.0
START = datetime(2024, 1, 1, tzinfo=UTC)

Request = Callable[[], httpx2.Response]


class ServiceProbe:
    """Sends honest requests in turn from a thread, and records how long each answer takes.

    Args:
        requests: by name; each opens a connection of its own.
        limit: seconds that each answer may take.

    Attributes:
        latencies: seconds for each answer, by the name of the request.
        failures: the answers that were not 200, and the connections that failed.
    """

    def __init__(self, requests: dict[str, Request], limit: float) -> None:
        self._requests, self._limit = requests, limit
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.latencies: dict[str, list[float]] = {name: [] for name in requests}
        self.failures: list[str] = []

    def _run(self) -> None:
        for round_ in itertools.count(1):
            for name, request in self._requests.items():
                self._measure(name, request)
            if self._stopped.wait(INTERVAL_SECONDS) and round_ >= MIN_ROUNDS:
                return

    def _measure(self, name: str, request: Request) -> None:
        started = time.monotonic()
        try:
            answer = request()
            if answer.status_code != httpx2.codes.OK:
                self.failures.append(f"{name}: {answer.status_code} {answer.text}")
        except httpx2.HTTPError as error:
            self.failures.append(f"{name}: {error!r}")
        self.latencies[name].append(time.monotonic() - started)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after its current round."""
        self._stopped.set()
        self._thread.join()

    def check(self) -> None:
        """Require an answer of 200 in time to every request.

        Raises:
            AssertionError: an answer was late, missing or not 200.
        """
        assert self.failures == [], self.failures
        counts = {name: len(seconds) for name, seconds in self.latencies.items()}
        assert min(counts.values()) >= MIN_ROUNDS, counts
        slowest = {name: max(seconds) for name, seconds in self.latencies.items()}
        assert max(slowest.values()) < self._limit, slowest


@contextmanager
def probing(
    urls: Sequence[str],
    key: str,
    others: dict[str, Request] | None = None,
    limit: float = SECONDS * SLOW_MACHINE,
) -> Iterator[ServiceProbe]:
    """Probe readiness and uploads while the block runs; then check the answers.

    Args:
        urls: addresses of the servers, which take turns.
        key: may write samples, and is used by nothing else.
        others: more honest requests.
        limit: seconds that each answer may take.

    Raises:
        AssertionError: an answer was late, missing or not 200.
    """
    turns, numbers = itertools.cycle(urls), itertools.count()
    new_connections = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(timeout=TIMEOUT, verify=False, limits=new_connections) as client:
        headers = {"Authorization": f"Bearer {key}"}
        probe = ServiceProbe(
            {
                "readiness": lambda: client.get(f"{next(turns)}/health/ready"),
                "upload": lambda: client.post(
                    f"{next(turns)}/api/v2.2/samples", json=_body(next(numbers)), headers=headers
                ),
                **(others or {}),
            },
            limit,
        )
        probe.start()
        try:
            yield probe
        finally:
            probe.stop()
    probe.check()


def _body(number: int) -> dict[str, Any]:
    starts = [START + timedelta(minutes=3 * number + i) for i in range(3)]
    return {
        "user_id": "honest",
        "data_type": "steps",
        "data": [
            {
                "device_name": "watch",
                "start_date": start.isoformat(),
                "end_date": (start + timedelta(seconds=30)).isoformat(),
                "unit": "count",
                "value": 7,
            }
            for start in starts
        ],
    }

"""A server that is killed again and again: what it accepted reaches a receiver that often fails."""

import time
from collections import defaultdict
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import httpx2
import pytest

from contract.tenant import Tenant, sample
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.testing.live import LiveServer
from uptake.wiring import open_store

from .receiver import Received, Receiver, Reply, accept, relay_to, wait_until

KILLS = 20
USERS = ("1", "2", "3", "4")
BATCHES = 3
"""Uploads of each user between two kills."""

PAUSES = (0.02, 0.1, 0.3, 0.6)
"""Seconds that a server has to send before it is killed."""


def faulty(random: Random) -> "dict[str, Reply | None]":
    """An answer of every kind that is no success."""
    wait = {"Retry-After": "1"} if random.random() < 0.1 else {}
    return {
        "broken": (500, {"message": "broken"}, {}),
        "overloaded": (503, {"message": "overloaded"}, wait),
        "throttled": (429, {"message": "slow down"}, wait),
        "dropped": None,
    }


@pytest.mark.timeout(300)
def test_every_accepted_sample_reaches_the_receiver(tmp_path: Path, receiver: Receiver) -> None:
    """In each user's order; 429, 500, 503, closed connections and twenty kills lose nothing."""
    random = Random(16)

    def answer(one: Received) -> Reply | None:
        if random.random() < 0.2:
            return random.choice(list(faulty(random).values()))
        if random.random() < 0.1:
            time.sleep(0.05)
        return accept(one)

    receiver.answer = answer
    server = LiveServer(tmp_path / "data")
    accepted: dict[str, list[int]] = defaultdict(list)
    place = Settings(data_dir=server.data_dir)
    with closing(open_store(place, make=True)) as store, httpx2.Client(timeout=5) as client:
        tenant = Tenant(client, store, "default")
        tenant.secret = tenant.key()
        relay = relay_to(receiver, tenant)
        for kill in range(KILLS + 1):
            _end_lease(store, relay.name)
            server.start()
            client.base_url = httpx2.URL(server.url)
            for batch in range(BATCHES):
                value = 3 * (kill * BATCHES + batch) + 1
                for user_id in USERS:
                    _upload(tenant, user_id, value, accepted)
            if kill < KILLS:
                time.sleep(random.choice(PAUSES))
                server.kill()
        _end_lease(store, relay.name)
        wait_until(lambda: not store.outbox_state(relay).pending)
        assert store.outbox_state(relay).dead == 0
        assert server.stop() == 0
    for user_id in USERS:
        assert len(accepted[user_id]) > KILLS
        # A receiver stores equal samples once, so what came again changed nothing.
        arrived = [int(value) for value in dict.fromkeys(receiver.values_of(user_id))]
        assert arrived == sorted(arrived)
        expected = {value + i for value in accepted[user_id] for i in range(3)}
        assert expected <= set(arrived)


def _upload(tenant: Tenant, user_id: str, value: int, accepted: dict[str, list[int]]) -> None:
    """Upload three samples with values that no other has, each at another time."""
    some = (sample(value + i, value=value + i) for i in range(3))
    with suppress(httpx2.HTTPError):
        if tenant.steps(user_id, *some).status_code == 200:
            accepted[user_id].append(value)


def _end_lease(store: Store, name: str) -> None:
    """End the lease of the process that was killed, and its back-off, as time would."""
    relay = store.relay("default", name)
    assert relay is not None
    store.release_relay(relay.id, relay.leased_by, 0, 0, "")

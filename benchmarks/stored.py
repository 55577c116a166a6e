"""Writes samples and keys directly to the store of a server: uploads are measured elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np

from benchmarks import server as servers
from benchmarks.server import Server
from uptake.cli.keys import new_key
from uptake.samples import columns, times
from uptake.samples.columns import Columns
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import BatchRecord, Entry
from uptake.time_units import TICKS_PER_SECOND
from uptake.wiring import open_store

SEED = 20260131
EVERY_SECONDS = 900
FLAGGED = 0.3
"""The share of samples from the second device, with the second version."""

ENTRIES = 200
"""Batches in a transaction."""


def fill(server: Server, users: Iterable[str], batches: int, per_batch: int) -> None:
    """Write batches of samples for each user, from a watch and a phone."""
    with closing(open_store_of(server)) as store:
        waiting = []
        for entry in entries(users, batches, per_batch):
            waiting.append(entry)
            if len(waiting) == ENTRIES:
                store.commit(waiting)
                waiting = []
        store.commit(waiting)


def add_keys(server: Server, users: Sequence[str]) -> tuple[str, ...]:
    """Create a key for each user, with which the user sends samples."""
    made = [new_key(DEFAULT_PROJECT, ["samples:write"], user=user) for user in users]
    with closing(open_store_of(server)) as store:
        for key, _ in made:
            store.add_key(key)
    return tuple(secret for _, secret in made)


def open_store_of(server: Server) -> Store:
    """Open the store of a server."""
    address = "" if server.database is None else server.database.url(servers.NAME)
    return open_store(Settings(data_dir=server.data, database=address))


def entries(users: Iterable[str], batches: int, per_batch: int) -> Iterator[Entry]:
    """Yield the entries of batches of steps, from a watch and a phone."""
    chance = np.random.default_rng(SEED)
    begin, winter = times.read("2026-01-01T00:00:00+01:00")
    _, summer = times.read("2026-07-01T00:00:00+02:00")
    for user_id in users:
        for number in range(batches):
            numbers = np.zeros((len(columns.COLUMNS), per_batch), np.int64)
            seconds = (number * per_batch + np.arange(per_batch)) * EVERY_SECONDS
            start, duration, *offsets, device, version, _unit = numbers
            start[:] = begin + (seconds + chance.integers(0, 300, per_batch)) * TICKS_PER_SECOND
            duration[:] = chance.integers(20, 60, per_batch) * TICKS_PER_SECOND
            for offset in offsets:
                offset[:] = winter if number < batches // 2 else summer
            device[:] = version[:] = chance.random(per_batch) < FLAGGED
            value = chance.integers(1, 200, per_batch).astype(np.float64)
            yield _entry(
                user_id, Columns(numbers, value, ("Apple Watch", "iPhone"), ("17.0.3", "18.1"))
            )


def _entry(user_id: str, made: Columns) -> Entry:
    encoded = columns.to_bytes(made)
    first, last = int(made.start[0]), int(made.start[-1])
    digest = columns.digest(encoded)
    record = BatchRecord(user_id, "steps", digest, first, last, len(made), encoded, len(made))
    return Entry(DEFAULT_PROJECT, f"{user_id} {first}", first // 10, (record,))

"""A mix of the five uploads and of reads, as a product with a mobile app may have it."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks import bodies
from benchmarks.bodies import BEARER, JSON, SEED, Template, Workload, template, user_ids

PHONES = tuple(f"phone-{number}" for number in range(8))
"""Users who send with keys of their own."""
_WINDOWS = 2_048

STORED_BATCHES, STORED_PER_BATCH = 10, 96
"""What each user has before: ten days of samples, one each 15 minutes."""

_READS = (
    "/uptake/v1/users/{user}",
    "/uptake/v1/users/{user}/samples?metric=steps&limit=100",
    "/uptake/v1/users/{user}/rollups?metric=steps&every=day&from=2026-01-05",
    "/uptake/v1/users/{user}/documents?limit=20",
    "/uptake/v1/users/{user}/images",
)


def _phones() -> Workload:
    """Batches of 10 samples, each with the key of a user."""
    data = list(bodies.sample_data(10, _WINDOWS))
    templates = tuple(
        template(
            "POST /api/v1.1/samples",
            (JSON, f"Authorization: Bearer {{keys[{1 + number % len(PHONES)}]}}"),
            [f'{{"data_type": "steps", "data": {one}}}'.encode()],
        )
        for number, one in enumerate(data)
    )
    return _in_turn(templates)


def _reads() -> Workload:
    users = user_ids()
    random.Random(SEED).shuffle(users)
    return _in_turn(
        tuple(
            template("GET " + _READS[number % len(_READS)].format(user=user), (BEARER,), [b""])
            for number, user in enumerate(users)
        )
    )


def _in_turn(templates: tuple[Template, ...]) -> Workload:
    return Workload(bodies.MAX_REQUESTS, templates, lambda number: (number % len(templates), ()))


def build() -> Workload:
    """The mix: of 100 requests, as many of each workload as its share."""
    shares: Sequence[tuple[int, Workload]] = (
        (30, bodies.samples(10, _WINDOWS)),
        (16, _phones()),
        (18, bodies.documents()),
        (10, bodies.profiles(10, 10)),
        (1, bodies.images()),
        (25, _reads()),
    )
    parts = [part for _, part in shares]
    begins = [sum(len(part.templates) for part in parts[:at]) for at in range(len(parts))]
    slots = [at for at, (share, _) in enumerate(shares) for _ in range(share)]
    random.Random(SEED).shuffle(slots)
    ranks = [slots[:slot].count(at) for slot, at in enumerate(slots)]

    def choose(number: int) -> tuple[int, tuple[bytes, ...]]:
        turn, slot = divmod(number, len(slots))
        at = slots[slot]
        index, fills = parts[at].choose(turn * shares[at][0] + ranks[slot])
        return begins[at] + index, fills

    limit = min(part.limit // share for share, part in shares) * len(slots)
    return Workload(limit, tuple(one for part in parts for one in part.templates), choose)

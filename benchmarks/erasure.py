"""The time to erase a user with a million samples over HTTP, while other users remain.

`python -m benchmarks --only erasure` runs only this part; `--samples` sets the number of samples.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx2
from rich.console import Console

from benchmarks import processor, stored
from benchmarks import server as servers
from benchmarks.server import Server, ServerError
from benchmarks.subjects import PRODUCTS
from benchmarks.tables import table
from benchmarks.verdicts import verdict

PART = "erasure"
SAMPLES = 1_000_000
OTHERS = 20
"""Users who remain; each has a twentieth of the samples."""

ROUNDS = 5
AT_MOST_MS = 1000.0
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The erasures of users with batches of one size, on one engine.

    Attributes:
        subject: the product and its engine.
        samples: the samples of each user.
        per_batch: the samples of each batch.
        at_most_ms: the target; 0 if there is none.
        took: the milliseconds of each erasure.
        processor: the milliseconds of processor time of the server and the database for each.
    """

    subject: str
    samples: int
    per_batch: int
    at_most_ms: float
    took: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def measure(scratch: Path, engine: str, samples: int) -> list[Figures]:
    """Measure erasures on one engine, of users with large and with small batches.

    Raises:
        ServerError: an erasure failed, or its response has the wrong counts.
    """
    batches = max(1, samples // 1000)
    found = [
        Figures(PRODUCTS[engine], batches * 1000, 1000, AT_MOST_MS),
        Figures(PRODUCTS[engine], batches * 1000, 50, 0.0),
    ]
    with servers.uptake(scratch, 1, engine) as server:
        others = [f"stays-{number}" for number in range(OTHERS)]
        stored.fill(server, others, max(1, batches // OTHERS), 1000)
        for number in range(ROUNDS):
            for one in found:
                user_id = f"goes-{one.per_batch}-{number}"
                stored.fill(server, [user_id], one.samples // one.per_batch, one.per_batch)
                _erase(server, user_id, one)
            _log(f"round {number + 1}/{ROUNDS} on {engine}")
    return found


def _log(text: str) -> None:
    print(f"[{PART}] {text}", file=sys.stderr, flush=True)


def _erase(server: Server, user_id: str, figures: Figures) -> None:
    headers = {"Authorization": f"Bearer {server.key}"}
    with httpx2.Client(
        base_url=server.url, headers=headers, trust_env=False, timeout=PATIENCE_SECONDS
    ) as client:
        place = f"/uptake/v1/users/{user_id}"
        if client.get(place).status_code != 200:
            raise ServerError(f"{user_id} is not there")
        used, began = processor.seconds(server), time.perf_counter()
        answer = client.delete(place)
        figures.took.append((time.perf_counter() - began) * 1000)
        figures.processor.append((processor.seconds(server) - used) * 1000)
        if answer.status_code != 200 or answer.json()["counts"]["samples"] != figures.samples:
            raise ServerError(f"{user_id} was not erased: {answer.status_code} {answer.text[:200]}")
        if client.get(place).status_code != 404:
            raise ServerError(f"{user_id} is still there")


def show(found: Sequence[Figures], console: Console) -> None:
    """Print the figures, what they should reach, and whether they do."""
    shown = table("Erasure of a user, over HTTP")
    shown.add_column("server")
    for name in ("samples", "in batches of", "middle, ms", "slowest, ms", "processor ms"):
        shown.add_column(name, justify="right")
    for name in ("target", ""):
        shown.add_column(name)
    for one in found:
        middle, wanted = median(one.took), one.at_most_ms
        shown.add_row(
            one.subject,
            f"{one.samples:,}",
            f"{one.per_batch:,}",
            f"{middle:,.0f}",
            f"{max(one.took):,.0f}",
            f"{median(one.processor):,.0f}",
            f"< {wanted:,.0f} ms" if wanted else "",
            verdict(reached=middle < wanted) if wanted else "",
        )
    console.print(shown)

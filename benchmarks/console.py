"""The time and the size of each page of the console, with much data stored.

`python -m benchmarks --only console` runs only this part, in about ten minutes for both engines.
The data is a million users with ten attributes, 50,000,000 samples of a thousand of them in batches
of a thousand, 100,000 requests, and 20,000 rejections; it is written directly to the store.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx2
from msgspec.structs import replace
from rich.console import Console

from benchmarks import processor, segments, stored
from benchmarks import server as servers
from benchmarks.bodies import DOCUMENT_TYPE
from benchmarks.server import Server, ServerError
from benchmarks.subjects import PRODUCTS
from benchmarks.tables import table
from benchmarks.verdicts import verdict
from uptake.console.sessions import Sessions
from uptake.model import ids
from uptake.model.acting import Act, acting
from uptake.model.submission import Fault
from uptake.samples.metrics import Metric
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT, Segment
from uptake.store.records import BatchRecord, DocumentRecord, Entry, RejectionRecord
from uptake.time_units import MICROSECONDS_PER_DAY

PART = "console"
AT_MOST_MS = 100.0
AT_MOST_BYTES = 300_000
ROUNDS = 40
"""Requests for each page; their 95th percentile is compared with the target."""

SAMPLE_USERS, BATCHES, PER_BATCH = 1000, 50, 1000
SAMPLES = SAMPLE_USERS * BATCHES * PER_BATCH
REQUESTS = 100_000
REJECTIONS = 20_000
"""Of the requests beside those with samples: half of them have a rejected item."""

ACTS = 2000
DAYS = 3
"""Days over which the requests are spread, up to now."""

SEED = 20261126
KEYS = tuple(f"0199f0a0-0000-7000-8000-{number:012d}" for number in range(50))
FORMAT = "gerosense-v2.2"
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The requests for a page of one engine.

    Attributes:
        subject: the product and its engine.
        name: of the page.
        bytes: of its HTML.
        took: the milliseconds of each request.
        processor: the milliseconds of processor time of the server and the database for each.
    """

    subject: str
    name: str
    bytes: int = 0
    took: list[float] = field(default_factory=list)
    processor: float = 0.0

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return sorted(self.took)[int(len(self.took) * 0.95)]


def measure(scratch: Path, engine: str) -> list[Figures]:
    """Measure every page on one engine.

    Raises:
        ServerError: a page was not returned.
    """
    with servers.uptake(scratch, 1, engine) as server:
        began = time.monotonic()
        segments.add_users(server)
        with closing(stored.open_store_of(server)) as store:
            rejection, request = _fill(store)
            link = Sessions(store).new_link(DEFAULT_PROJECT)
        _log(f"filled {engine} in {time.monotonic() - began:.0f} s")
        with httpx2.Client(
            base_url=server.url, trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True
        ) as client:
            if client.post("/console/sign-in", data={"link": link}).status_code != 200:
                raise ServerError("the link does not sign in")
            pages = {**PAGES, "a rejection": f"/rejections/{rejection}"}
            pages["a request"] = f"/requests/{request}"
            return [_asked(server, client, engine, *page) for page in pages.items()]


PAGES = {
    "overview": "",
    "requests": "/requests",
    "requests with a status that none has": "/requests?status=413",
    "groups of rejections": "/rejections",
    "groups, one format": f"/rejections?format={FORMAT}",
    "a group of rejections": f"/rejections/list?format={FORMAT}&code=above_limit&place=/value",
    "the last group": f"/rejections/list?format={FORMAT}&code=blank&place=/device_name",
    "users": "/users",
    "users by prefix": "/users?prefix=user-05",
    "a user with attributes": "/users/user-0500000",
    "a user with 50,000 samples": "/users/user-0000007",
    "a year of that user": "/users/user-0000007?from=2026-01-01&to=2026-12-31",
    "document types": "/types",
    "a document type": f"/types/{DOCUMENT_TYPE}",
    "segments": "/segments",
    "a segment": "/segments/pro",
    "retention": "/retention",
    "API keys": "/keys",
    "audit log": "/audit",
    "audit log, an actor without entries": "/audit?actor=none",
    "settings": "/settings",
}


def _asked(server: Server, client: httpx2.Client, engine: str, name: str, path: str) -> Figures:
    found = Figures(PRODUCTS[engine], name, len(_page(client, path)))
    used = processor.seconds(server)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        _page(client, path)
        found.took.append((time.perf_counter() - began) * 1000)
    spent = (processor.seconds(server) - used) * 1000 / ROUNDS
    return Figures(found.subject, name, found.bytes, found.took, spent)


def _page(client: httpx2.Client, path: str) -> bytes:
    answer = client.get(f"/console{path}")
    if answer.status_code != 200:
        raise ServerError(f"/console{path} was answered with {answer.status_code}")
    return answer.content


def _fill(store: Store) -> tuple[str, str]:
    """Write all data but the users. Returns the ids of a rejection and of a request."""
    now, random = time.time_ns() // 1000, Random(SEED)
    begin = now - DAYS * MICROSECONDS_PER_DAY
    step = (now - begin) // REQUESTS
    waiting: list[Entry] = []
    last_rejection = last_request = ""
    samples = _samples()
    for number in range(REQUESTS):
        moment = begin + number * step
        # Each second request has samples.
        entry = next(samples) if number % 2 else _small(number, moment, random)
        entry = replace(
            entry,
            request_id=_id_of(moment, random),
            received_at=moment,
            format=FORMAT if entry.rejections or number % 2 else "thymia",
            key_id=KEYS[random.randrange(len(KEYS))],
            ms=random.randint(1, 30),
        )
        waiting.append(entry)
        last_request = entry.request_id
        if entry.rejections:
            last_rejection = entry.rejections[0].rejection_id
        if len(waiting) == stored.ENTRIES:
            store.commit(waiting)
            waiting = []
    while store.fold_receipts(DEFAULT_PROJECT, now):
        pass
    for number in range(ACTS):
        with acting(Act(KEYS[number % len(KEYS)], "192.0.2.1")):
            store.record_act(DEFAULT_PROJECT, "export", kind="samples")
    wanted = '{"attribute": "plan", "op": "eq", "value": "pro"}'
    store.put_segment(DEFAULT_PROJECT, Segment("pro", wanted, now, now))
    return last_rejection, last_request


def _id_of(moment: int, random: Random) -> str:
    """A UUID of version 7 with the time at which a request was received."""
    text = f"{moment // 1000:012x}7{random.getrandbits(12):03x}8{random.getrandbits(60):015x}"
    return str(UUID(text))


def _samples() -> Iterator[Entry]:
    """Batches of steps and heart rates: those of one user, for each user."""
    made = [entry.records[0] for entry in stored.entries(["any"], BATCHES, PER_BATCH)]
    for number in range(SAMPLE_USERS * BATCHES):
        record: Any = made[number // SAMPLE_USERS]
        metric: Metric = "bpm" if number // SAMPLE_USERS % 2 else "steps"
        owned: BatchRecord = replace(
            record, user_id=f"user-{number % SAMPLE_USERS:07d}", metric=metric
        )
        yield Entry(DEFAULT_PROJECT, "", 0, (owned,))


FAULTS = (
    *(("above_limit", "value"), ("not_positive", "value"), ("not_iso8601", "start_date")),
    *(("unknown_unit", "unit"), ("ends_before_start", "end_date"), ("blank", "device_name")),
)


def _small(number: int, moment: int, random: Random) -> Entry:
    """A document, or a rejected sample."""
    user_id = f"user-{random.randrange(segments.USERS):07d}"
    if number % (REQUESTS // REJECTIONS) == 0:
        code, name = FAULTS[int(random.random() ** 2 * len(FAULTS))]
        message = f"{name} is wrong (got {random.randint(1, 500)})"
        raw = b'{"device_name":"Watch","start_date":"2026-01-31T08:00:00Z","value":31000}'
        rejected = RejectionRecord(
            user_id,
            _id_of(moment, random),
            FORMAT,
            KEYS[number % len(KEYS)],
            0,
            (Fault(code, message, (name,)),),
            raw,
            context={"metric": "steps"},
        )
        return Entry(DEFAULT_PROJECT, "", moment, (), (rejected,))
    document = DocumentRecord(user_id, ids.time_ordered(), DOCUMENT_TYPE, b'{"mood":3}')
    return Entry(DEFAULT_PROJECT, "", moment, (document,))


def show(found: Sequence[Figures], console: Console) -> None:
    """Print the figures, what they should reach, and whether they do."""
    shown = table(
        f"Pages of the console: {segments.USERS:,} users, {REQUESTS:,} requests,"
        f" {SAMPLES:,} samples"
    )
    for name in ("server", "page"):
        shown.add_column(name)
    for name in ("KB", "middle, ms", "p95, ms", "processor ms"):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for one in found:
        shown.add_row(
            one.subject,
            one.name,
            f"{one.bytes / 1000:,.0f}",
            f"{sorted(one.took)[len(one.took) // 2]:,.0f}",
            f"{one.p95:,.0f}",
            f"{one.processor:,.0f}",
            verdict(reached=one.p95 < AT_MOST_MS and one.bytes < AT_MOST_BYTES),
        )
    console.print(shown)


def _log(text: str) -> None:
    print(f"[{PART}] {text}", file=sys.stderr, flush=True)

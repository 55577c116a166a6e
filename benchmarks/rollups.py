"""A user's year, rolled up over HTTP: the first question after a start, and those that follow.

`python -m benchmarks --only rollups` measures this alone; server and client share the machine.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx2
from rich.console import Console

from benchmarks import processor
from benchmarks.server import ServerError
from benchmarks.subjects import POSTGRESQL, PRODUCTS
from benchmarks.tables import table
from benchmarks.verdicts import verdict
from uptake.testing.live import LiveServer
from uptake.testing.postgres import PostgresFailed, postgres

SEED = 20260131
DAYS = 365
BATCH = 1000
"""Samples of a day, which are one request: half of them from each device, overlapping."""

HOME = ZoneInfo("Europe/Berlin")
USER = "42"
DATABASE = "rollups"
ASKED = 15
"""How often each query is sent, without the first time."""

LARGEST_PAGE = 10_000


class Question(NamedTuple):
    """A query, and the target of its time.

    Attributes:
        name: of the row of the table.
        path: below the user.
        at_most_ms: milliseconds; 0 where nothing is laid down.
    """

    name: str
    path: str
    at_most_ms: float


QUESTIONS = (
    Question("steps by day", "rollups?metric=steps&every=day", 150),
    Question("steps by hour", "rollups?metric=steps&every=hour", 200),
    Question("steps by day of a zone", "rollups?metric=steps&every=day&zone=America/New_York", 150),
    Question("steps by hour, explained", "rollups?metric=steps&every=hour&explain=true", 0),
    Question("steps by day, each device", "rollups?metric=steps&every=day&devices=each", 0),
    Question("steps of a week by hour", "rollups?metric=steps&every=hour&from=2025-12-20", 0),
    Question("sync state", "sync?metric=steps", 0),
)
RESTARTED = QUESTIONS[:2]
"""Those that are also asked first after a start."""


class Answer(NamedTuple):
    """How long a question took.

    Attributes:
        subject: who was asked.
        question: what.
        first: whether it was the first after a start.
        took: milliseconds, every time that it was asked.
        processor: milliseconds of the server's processor time each time, on average.
    """

    subject: str
    question: Question
    first: bool
    took: list[float]
    processor: float


def year() -> Iterator[list[dict[str, Any]]]:
    """The samples, day after day: a watch by the minute, a phone a little beside it."""
    chance = random.Random(SEED)
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    for day in range(DAYS):
        midnight = begin + timedelta(days=day)
        yield [
            _sample(device, midnight + timedelta(minutes=minute, seconds=beside), chance)
            for device, beside in (("Watch", 0), ("iPhone", 17))
            for minute in chance.sample(range(1440), BATCH // 2)
        ]


def _sample(device: str, start: datetime, chance: random.Random) -> dict[str, Any]:
    end = start + timedelta(minutes=1)
    return {
        "device_name": device,
        "start_date": start.astimezone(HOME).isoformat(),
        "end_date": end.astimezone(HOME).isoformat(),
        "unit": "count",
        "value": chance.randint(1, 150),
    }


@contextmanager
def _started(scratch: Path, engine: str) -> Iterator[LiveServer]:
    """A server that can be stopped and started again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        url = ""
        if engine == POSTGRESQL:
            try:
                database = stack.enter_context(postgres(scratch))
            except PostgresFailed as error:
                raise ServerError(f"PostgreSQL: {str(error).strip()}") from error
            database.create(DATABASE)
            url = database.url(DATABASE)
        server = LiveServer(folder / "data", url)
        stack.callback(server.kill)
        server.start()
        yield server


def _send(client: httpx2.Client, samples: Sequence[dict[str, Any]]) -> None:
    body = {"user_id": USER, "data_type": "steps", "data": samples}
    answer = client.post("/api/v2.2/samples", json=body)
    if answer.status_code != 200:
        raise ServerError(f"rollups: {answer.status_code} {answer.text}")


def _ask(client: httpx2.Client, question: Question) -> float:
    """Send the query, and check that the response covers the requested time."""
    began = time.perf_counter()
    answer = client.get(f"/uptake/v1/users/{USER}/{question.path}")
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise ServerError(f"{question.name}: {answer.status_code} {answer.text}")
    page = answer.json()
    if page["next"] is not None:
        raise ServerError(f"{question.name}: not on one page")
    counted = sum(one["count"] for one in page.get("buckets") or page["devices"])
    if "from=" not in question.path and counted != DAYS * BATCH:
        raise ServerError(f"{question.name}: {counted:,} samples, expected {DAYS * BATCH:,}")
    return took


def _client(server: LiveServer, key: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False)


def measure(scratch: Path, engines: Sequence[str]) -> list[Answer]:
    """Every question, on each engine, to a server with one worker."""
    found = []
    for engine in engines:
        subject = PRODUCTS[engine]
        with _started(scratch, engine) as server:
            key = server.create_key()
            with _client(server, key) as client:
                for samples in year():
                    _send(client, samples)
            for question in RESTARTED:
                server.stop()
                server.start()
                with _client(server, key) as client:
                    client.get("/health/ready")  # so that the connection is there
                    found.append(_answer(subject, server, client, question, 1))
            with _client(server, key) as client:
                for question in QUESTIONS:
                    _ask(client, question)
                    found.append(_answer(subject, server, client, question, ASKED))
    return found


def _answer(
    subject: str, server: LiveServer, client: httpx2.Client, question: Question, times: int
) -> Answer:
    before = _processor_seconds(server)
    took = [_ask(client, question) for _ in range(times)]
    spent = (_processor_seconds(server) - before) * 1000 / times
    return Answer(subject, question, times == 1, took, spent)


def _processor_seconds(server: LiveServer) -> float:
    return 0.0 if server.process is None else processor.seconds_of(server.process.pid)


def show(answers: Sequence[Answer], console: Console) -> None:
    """Print the figures, what they should reach, and whether they do."""
    shown = table(
        f"Rollups: a user's year, {DAYS * BATCH:,} samples in {DAYS} batches, two devices"
    )
    numbers = {"ms", "min - max", "processor ms"}
    for name in ("server", "what", "when", "ms", "min - max", "processor ms", "target", ""):
        shown.add_column(name, justify="right" if name in numbers else "left")
    for one in answers:
        middle, wanted = median(one.took), one.question.at_most_ms
        spread = "" if one.first else f"{min(one.took):,.0f} - {max(one.took):,.0f}"
        shown.add_row(
            one.subject,
            one.question.name,
            "first after a start" if one.first else "",
            f"{middle:,.0f}",
            spread,
            f"{one.processor:,.0f}",
            f"<= {wanted:g} ms" if wanted else "",
            verdict(reached=middle <= wanted) if wanted else "",
        )
    console.print(shown)

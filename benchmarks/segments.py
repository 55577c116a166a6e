"""Segments over a million users: the first question, which reads them, and those after it.

And over ten million users, who exceed the memory of the server: every question reads them.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import httpx2
import psycopg
from rich.console import Console

from benchmarks import server as servers
from benchmarks.server import Server, ServerError
from benchmarks.tables import table
from benchmarks.verdicts import verdict
from uptake import wiring
from uptake.model.items import Attributes
from uptake.settings import Settings
from uptake.store.records import Entry

PART = "segments"
LARGE = "segments-large"
USERS = 1_000_000
COPIES = 9
LARGE_USERS = (1 + COPIES) * USERS
LARGE_MEMORY = 150
"""Megabytes for users in memory; with the rest of the server at most `LARGE_PEAK_MB`."""
LARGE_PEAK_MB = 500
LARGE_MS = 10_000.0
FIRST_MS = 2000.0
GROUP = 5_000
SEED = 20261121
QUESTIONS = 25
"""Queries of each kind; the median and the slowest are printed."""

WANTED_MS = 300.0
PATIENCE_SECONDS = 120.0
WIDTH = 120

NAMES = (
    *("country", "plan", "age", "email", "signed_up"),
    *("city", "score", "language", "team", "note"),
)
COUNTRIES = ("NO", "SE", "DK", "FI", "DE", "FR", "IT", "ES", "GB", "US")

FEW_VALUES: dict[str, Any] = {
    "and": [
        {"attribute": "country", "op": "eq", "value": "NO"},
        {"attribute": "age", "op": "ge", "value": 30, "as": "number"},
        {"attribute": "plan", "op": "in", "value": ["plus", "pro"]},
    ]
}
MANY_VALUES: dict[str, Any] = {
    "and": [
        {"attribute": "email", "op": "contains", "value": "99"},
        {"attribute": "score", "op": "gt", "value": 50, "as": "number"},
        {"attribute": "signed_up", "op": "ge", "value": "2020-01-01", "as": "date"},
    ]
}


_COPY = """
    INSERT INTO users (
        project_id, user_id, revision, first_seen, last_seen, mark, names, attributes
    )
    SELECT
        project_id, 'copy-{}-' || user_id, revision, first_seen, last_seen, mark, names, attributes
    FROM users
    WHERE user_id >= 'user-'
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A query, and the times of its responses."""

    name: str
    milliseconds: list[float]
    wanted: float | None = WANTED_MS


def measure(scratch: Path, engine: str) -> list[Figure]:
    """All figures on one engine, with a server of its own.

    Raises:
        ServerError: a response was wrong.
    """
    with servers.uptake(scratch, 1, engine) as server:
        _fill(server)
        with _client(server) as client:
            figures = _ask(client)
        _log(f"peak memory of the server: {server.memory.peak_megabytes:.0f} MB")
    return figures


def measure_large(scratch: Path, engine: str) -> list[Figure]:
    """The figures of users that exceed the memory, on one engine, with a server of its own.

    Raises:
        ServerError: a response was wrong.
    """
    options = ("--segment-memory", str(LARGE_MEMORY))
    with servers.uptake(scratch, 1, engine, options=options) as server:
        _fill(server, COPIES)
        with _client(server) as client:
            figures = []
            for name, wanted in (("few", FEW_VALUES), ("many", MANY_VALUES)):
                taken = _timed(_preview(client, wanted), 2)
                figures += [
                    Figure(
                        f"three conditions, {name} different values, first", taken[:1], LARGE_MS
                    ),
                    Figure("again", taken[1:], LARGE_MS),
                ]
            if _counted(client, {"and": []}) != LARGE_USERS:
                raise ServerError("not all users were counted")
        peak = server.memory.peak_megabytes
        missed = " MISSED" if peak > LARGE_PEAK_MB else ""
        _log(f"peak memory of the server: {peak:.0f} MB, target {LARGE_PEAK_MB}{missed}")
    return figures


def _client(server: Server) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {server.key}"}
    return httpx2.Client(
        base_url=server.url, headers=headers, trust_env=False, timeout=PATIENCE_SECONDS
    )


def _log(text: str) -> None:
    print(f"[{PART}] {text}", file=sys.stderr, flush=True)


def add_users(server: Server) -> None:
    """Write a million users directly to the store: uploads are measured elsewhere."""
    random = Random(SEED)
    address = "" if server.database is None else server.database.url(servers.NAME)
    with closing(wiring.open_store(Settings(data_dir=server.data, database=address))) as store:
        for first in range(0, USERS, GROUP):
            users = range(first, first + GROUP)
            records = tuple(Attributes(f"user-{i:07d}", NAMES, _values(i, random)) for i in users)
            store.commit([Entry("default", "benchmark", time.time_ns() // 1000, records)])
            if first % (USERS // 4) == 0:
                _log(f"{first:,} of {USERS:,} users written")


def _fill(server: Server, copies: int = 0) -> None:
    """Write a million users, and copies of them."""
    began = time.monotonic()
    add_users(server)
    for number in range(copies):
        statement = _COPY.format(number)
        if server.database is None:
            with closing(sqlite3.connect(server.data / wiring.DATABASE_FILE)) as database:
                database.execute(statement)
                database.commit()
        else:
            with psycopg.connect(server.database.url(servers.NAME)) as connection:
                connection.execute(statement.encode())
    _log(f"{(1 + copies) * USERS:,} users written in {time.monotonic() - began:.0f} s")


def _values(number: int, random: Random) -> list[str]:
    return [
        random.choice(COUNTRIES),
        random.choice(("free", "plus", "pro", "")),
        str(random.randint(18, 90)),
        f"person{number}@example.com",
        f"20{random.randint(10, 26)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}",
        f"city {random.randint(0, 5000)}",
        f"{random.random() * 100:.4f}",
        random.choice(("en", "nb", "sv")),
        f"team {random.randint(0, 50)}",
        random.choice(("", "null", "x")),
    ]


def _ask(client: httpx2.Client) -> list[Figure]:
    preview = partial(_preview, client)

    def change_and_ask(number: int) -> None:
        row = [f"user-{number:07d}", "NO", "pro", "40"]
        table = {"field_name": ["user_id", "country", "plan", "age"], "values": [row]}
        if client.post("/v1/user/profiles", json=table).status_code != 200:
            raise ServerError("an upload was rejected")
        _counted(client, FEW_VALUES)

    figures = [
        Figure(
            "the first question, which reads all users", _timed(preview(FEW_VALUES), 1), FIRST_MS
        ),
        Figure("three conditions, few different values", _timed(preview(FEW_VALUES))),
        Figure("other columns for the first time", _timed(preview(MANY_VALUES), 1), None),
        Figure("three conditions, a million different values", _timed(preview(MANY_VALUES))),
        Figure("upload of a user, then the question", _timed(change_and_ask)),
    ]
    found = _counted(client, {"and": []})
    if found != USERS:
        raise ServerError(f"{USERS:,} users written, {found:,} counted")
    return figures


def _preview(client: httpx2.Client, wanted: dict[str, Any]) -> Callable[[int], None]:
    def ask(_number: int) -> None:
        _counted(client, wanted)

    return ask


def _timed(ask: Callable[[int], None], times: int = QUESTIONS) -> list[float]:
    taken = []
    for number in range(times):
        began = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _counted(client: httpx2.Client, wanted: dict[str, Any]) -> int:
    """The count that is answered, with a page of users, however often it has to be asked."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        answer = client.post("/uptake/v1/segments/preview", json=wanted)
        if answer.status_code == 200:
            body = answer.json()
            if len(body["users"]) != min(body["count"], 1000):
                raise ServerError("the first page is not whole")
            return int(body["count"])
        if answer.status_code != 503:
            break
    raise ServerError(f"a question was answered with {answer.status_code}: {answer.text[:200]}")


def show(figures: list[Figure], engine: str, users: int = USERS) -> None:
    """Print the figures, what they should reach, and whether they do."""
    shown = table(
        f"Segments on {engine}: {users:,} users with ten attributes; count and first page"
    )
    shown.add_column("question")
    for name in ("middle, ms", "slowest, ms"):
        shown.add_column(name, justify="right")
    for name in ("target", ""):
        shown.add_column(name)
    for figure in figures:
        middle, wanted = median(figure.milliseconds), figure.wanted
        shown.add_row(
            figure.name,
            f"{middle:,.0f}",
            f"{max(figure.milliseconds):,.0f}",
            "" if wanted is None else f"<= {wanted:.0f} ms",
            "" if wanted is None else verdict(reached=middle <= wanted),
        )
    Console(width=WIDTH, highlight=False).print(shown)

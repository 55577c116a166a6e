"""What is measured, in which order: the product and the yardstick take turns, round after round.

A machine that others use grows slower and faster by itself; turns spread that over both.
"""

from __future__ import annotations

import itertools
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from psycopg.sql import SQL

from benchmarks import processor, segments
from benchmarks import server as servers
from benchmarks.bodies import ITEMS, LARGE_BATCH, USERS, WORKLOADS, user_ids
from benchmarks.load import LoadError, Measured, Plan, measure, prepare
from benchmarks.memory import MEGABYTE
from benchmarks.server import Server, ServerError
from benchmarks.subjects import GENERATOR, OTHER_BUILDS, PRODUCTS, YARDSTICKS, Yardstick
from benchmarks.yardstick import DATABASE_NAME

CONNECTIONS = (1, 8, 32)
MANY_CONNECTIONS = 32
WARM_SECONDS = 0.5
CEILING_SECONDS = 1.0
GROWTH_STRETCH = 2
"""The workload with the most requests runs longer: it shows whether memory grows with them."""
GROWTH_WORKLOAD = "samples-3"
CEILING_WORKLOADS = ("samples", "samples-3", "images")
SMALL_WORKLOADS = ("samples-3", "profiles-10", "documents")
"""Measured with one connection too: what a single client waits for."""
OTHERS = tuple(name for name in WORKLOADS if name != "samples")
CHECKED_USERS = 20

STORED_MILLIONS = (1, 10, 50)
"""Samples that are there already when it is measured how fast more are taken."""
FILL_SECONDS = 5.0
MILLION = 1_000_000

GROWTH = "growth"
PARTS = (*WORKLOADS, *YARDSTICKS, GENERATOR, segments.PART)
"""What is measured unless some of it is chosen."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one row of the table is about."""

    subject: str
    workload: str
    workers: int
    connections: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """A figure that is not a rate."""

    subject: str
    name: str
    workers: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What was measured when so much was there already."""

    measured: Measured
    milliseconds: float
    """Processor time of the server and its database for each request."""


@dataclass(slots=True)
class Results:
    """Everything measured so far."""

    rates: dict[Row, list[Measured]] = field(default_factory=lambda: defaultdict(list))
    footprints: dict[Footprint, list[float]] = field(default_factory=lambda: defaultdict(list))
    stored: dict[tuple[str, int], Stored] = field(default_factory=dict)
    faults: dict[Row | Footprint, list[str]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Settings:
    """How the run was asked for."""

    seconds: float
    rounds: int
    workers: tuple[int, ...]
    parts: frozenset[str]
    engines: tuple[str, ...]
    scratch: Path
    samples: int | None = None
    """That are exported, and of a user who is erased; None for as many as the targets are for."""
    against: Path | None = None
    """The `uptake` command of another build, measured in turns with this one."""


class Benchmark:
    """One run."""

    def __init__(self, settings: Settings, generator: ProcessPoolExecutor) -> None:
        self._settings = settings
        self._generator = generator
        self._began = time.monotonic()
        self.results = Results()

    def run(self) -> None:
        """Carry out all rounds."""
        settings = self._settings
        for name in self._needed():
            took = self._generator.submit(prepare, name).result()
            self._log(f"bodies of {name} built in {took:.1f} s")
        if GENERATOR in settings.parts:
            self._ceiling()
        if GROWTH in settings.parts:
            for engine in settings.engines:
                self._stored(engine, max(settings.workers))
        for turn in range(1, settings.rounds + 1):
            for workers in settings.workers:
                for engine in settings.engines:
                    self._round(f"round {turn}/{settings.rounds}", engine, workers)

    def _round(self, where: str, engine: str, workers: int) -> None:
        settings = self._settings
        builds: list[tuple[str, Path | None]] = [(PRODUCTS[engine], None)]
        if settings.against is not None:
            builds.append((OTHER_BUILDS[engine], settings.against))
        if "samples" in settings.parts:
            for subject, program in builds:
                server = servers.uptake(settings.scratch, workers, engine, program)
                self._session(where, server, subject, workers, ("samples",))
        for subject, yardstick in YARDSTICKS.items():
            if subject in settings.parts and yardstick.engine == engine:
                server = servers.yardstick(settings.scratch, workers, engine, yardstick.style)
                self._session(where, server, subject, workers, ("samples",))
        others = tuple(name for name in OTHERS if name in settings.parts)
        if others:
            for subject, program in builds:
                server = servers.uptake(settings.scratch, workers, engine, program)
                self._session(where, server, subject, workers, others)

    def _needed(self) -> list[str]:
        parts = set(self._settings.parts)
        if parts & {*YARDSTICKS, GROWTH}:
            parts.add("samples")
        if GENERATOR in parts:
            parts.update(CEILING_WORKLOADS)
        return [name for name in WORKLOADS if name in parts]

    def _log(self, text: str) -> None:
        elapsed = time.monotonic() - self._began
        print(f"[{elapsed:4.0f} s] {text}", file=sys.stderr, flush=True)

    def _ceiling(self) -> None:
        with servers.discard(self._settings.scratch) as server:
            for name in CEILING_WORKLOADS:
                row = Row(GENERATOR, name, 1, MANY_CONNECTIONS)
                self._measure("", server, row, 0, CEILING_SECONDS)

    def _stored(self, engine: str, workers: int) -> None:
        """Measure the rate when millions of samples are already stored, on one server."""
        subject = PRODUCTS[engine]
        row = Row(subject, "samples", workers, MANY_CONNECTIONS)
        place = Footprint(subject, "disk", workers)
        try:
            with servers.uptake(self._settings.scratch, workers, engine) as server:
                total = 0
                for millions in STORED_MILLIONS:
                    while total * LARGE_BATCH < millions * MILLION:
                        left = millions * MILLION - total * LARGE_BATCH
                        seconds = FILL_SECONDS if left > FILL_SECONDS * MILLION else 1.0
                        filled = self._measure("filling", server, row, total, seconds)
                        if filled is None:
                            return
                        total += filled.issued
                    used = processor.seconds(server)
                    seen = self._measure("then", server, row, total, self._settings.seconds)
                    if seen is None:
                        return
                    used = (processor.seconds(server) - used) / seen.issued
                    total += seen.issued
                    self.results.stored[subject, millions] = Stored(seen, used * 1000)
                self._check(place, lambda: _missing_in_uptake(server, total))
                server.stop()
        except ServerError as error:
            self._fault(place, str(error))
        self.results.rates.pop(row, None)

    def _session(
        self,
        where: str,
        starting: AbstractContextManager[Server],
        subject: str,
        workers: int,
        names: tuple[str, ...],
    ) -> None:
        """Start a server, measure, check the stored data, stop it, and measure its files."""
        peak = Footprint(subject, "peak", workers)
        try:
            with starting as server:
                if names == ("samples",):
                    self._samples(where, server, subject, workers)
                else:
                    for name in names:
                        self._other(where, server, subject, workers, name)
                    server.stop()
                self.results.footprints[peak].append(server.memory.peak_megabytes)
        except ServerError as error:
            self._fault(peak, str(error))

    def _fault(self, place: Row | Footprint, text: str) -> None:
        self.results.faults[place].append(text)
        self._log(f"FAULT: {place.subject}, {place.workers} workers: {text}")

    def _measure(
        self, where: str, server: Server, row: Row, first: int, seconds: float
    ) -> Measured | None:
        plan = Plan(
            row.workload, server.port, server.key, row.connections, seconds, WARM_SECONDS, first
        )
        try:
            measured = self._generator.submit(measure, plan).result()
        except LoadError as error:
            ended = server.process.poll() is not None
            self._fault(row, f"{error}; the server printed: {server.tail}" if ended else str(error))
            return None
        self.results.rates[row].append(measured)
        if measured.rejected:
            counts = ", ".join(f"{n:,} x {status}" for status, n in measured.statuses.items())
            self._fault(row, f"answered {counts}; the first rejection: {measured.rejection}")
        items = ITEMS[row.workload]
        self._log(
            f"{where} {row.subject}, workers {row.workers}, {row.workload}, connections "
            f"{row.connections}: {measured.requests_per_second * items:,.0f}/s, "
            f"p99 {measured.p99_ms:.1f} ms"
        )
        return measured

    def _samples(self, where: str, server: Server, subject: str, workers: int) -> None:
        total = 0
        for connections in CONNECTIONS:
            row = Row(subject, "samples", workers, connections)
            measured = self._measure(where, server, row, total, self._settings.seconds)
            if measured is None:
                return  # the acknowledged samples are unknown, so the rest cannot be checked
            total += measured.issued
            if connections == MANY_CONNECTIONS:
                self._growth(server, row, measured)
        place = Footprint(subject, "disk", workers)
        if subject not in YARDSTICKS:
            self._check(place, lambda: _missing_in_uptake(server, total))
        server.stop()
        if subject in YARDSTICKS:
            self._check(place, lambda: _missing_in_yardstick(server, YARDSTICKS[subject], total))
        files = server.disk_bytes()
        self.results.footprints[place].append(sum(files.values()) / (total * LARGE_BATCH))
        sizes = ", ".join(f"{name} {size / MEGABYTE:.1f} MB" for name, size in files.items())
        self._log(f"{where} {subject}, workers {workers}, left on the disk: {sizes}")

    def _other(self, where: str, server: Server, subject: str, workers: int, name: str) -> None:
        first = 0
        if name in SMALL_WORKLOADS:
            row = Row(subject, name, workers, 1)
            single = self._measure(where, server, row, 0, self._settings.seconds)
            first = single.issued if single is not None else 0
        row = Row(subject, name, workers, MANY_CONNECTIONS)
        growth = name == GROWTH_WORKLOAD
        seconds = self._settings.seconds * (GROWTH_STRETCH if growth else 1)
        measured = self._measure(where, server, row, first, seconds)
        if growth and measured is not None:
            self._growth(server, row, measured)

    def _growth(self, server: Server, row: Row, measured: Measured) -> None:
        for percent in (25, 100):
            place = Footprint(row.subject, f"{row.workload} at {percent}%", row.workers)
            megabytes = server.memory.megabytes_at(measured.window, percent / 100)
            self.results.footprints[place].append(megabytes)

    def _check(self, place: Footprint, problem: Callable[[], str]) -> None:
        """Report a fault: lost samples would make every rate invalid."""
        text = problem()
        if text:
            self._fault(place, text)


def _missing_in_uptake(server: Server, requests: int) -> str:
    """Compare the samples of some users with the acknowledged ones; empty if they are equal."""
    sent = Counter(number % USERS for number in range(requests))
    step = max(1, len(sent) // CHECKED_USERS)
    headers = {"Authorization": f"Bearer {server.key}"}
    names = user_ids()
    with httpx2.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        for user in itertools.islice(sorted(sent), 0, None, step):
            try:
                answer = client.get(f"/uptake/v1/users/{names[user]}")
                stored = answer.json()["samples"]["steps"]["count"] if answer.is_success else None
            except (httpx2.TransportError, ValueError, KeyError) as error:
                return f"the stored samples could not be read: {error!r}"
            if stored != sent[user] * LARGE_BATCH:
                return (
                    f"user {names[user]}: {sent[user] * LARGE_BATCH} samples acknowledged, "
                    f"{stored} stored (status {answer.status_code})"
                )
    return ""


def _missing_in_yardstick(server: Server, yardstick: Yardstick, requests: int) -> str:
    query = f"SELECT count(*) FROM {yardstick.table}"  # noqa: S608 - the names are ours
    if server.database is not None:
        [[stored]] = server.database.execute(SQL(query).format(), servers.NAME)
    else:
        with closing(sqlite3.connect(server.data / DATABASE_NAME)) as connection:
            (stored,) = connection.execute(query).fetchone()
    wanted = requests * LARGE_BATCH
    return "" if stored == wanted else f"{wanted} samples acknowledged, {stored} stored"

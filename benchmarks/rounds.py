"""What is measured, in which order: the product and the yardsticks take turns, round after round.

A machine that others use grows slower and faster by itself; turns spread that over both.
"""

from __future__ import annotations

import itertools
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import httpx2

from benchmarks import mix, processor, stored
from benchmarks import server as servers
from benchmarks.bodies import LARGE_BATCH, USERS, user_ids
from benchmarks.load import LoadError, Measured, Plan, measure, prepare
from benchmarks.memory import MEGABYTE, SPARSE_SECONDS
from benchmarks.results import (
    CONNECTIONS,
    MANY_CONNECTIONS,
    Footprint,
    Results,
    Row,
    Settings,
    Stored,
)
from benchmarks.server import Server, ServerError
from benchmarks.subjects import OTHER_BUILDS, PRODUCT, PRODUCTS, YARDSTICKS, Yardstick
from benchmarks.workloads import ITEMS, MIX, MIX_PACED, PACE, SAMPLES, SMALL_BATCHES
from benchmarks.yardstick import DATABASE_NAME

WARM_SECONDS = 0.5
GROWTH_STRETCH = 2
"""The workload with the most requests runs longer: it shows whether memory grows with them."""
CHECKED_USERS = 20

STORED_MILLIONS = (1, 10, 50)
"""Samples that are there already when it is measured how fast more are taken."""
FILL_SECONDS = 5.0
MILLION = 1_000_000

GROWTH = "growth"


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
        if GROWTH in settings.parts:
            for engine in settings.engines:
                self._stored(engine, max(settings.workers))
        for turn in range(1, settings.rounds + 1):
            for workers in settings.workers:
                for engine in settings.engines:
                    self._round(f"round {turn}/{settings.rounds}", engine, workers)

    def _round(self, where: str, engine: str, workers: int) -> None:
        settings = self._settings
        builds: list[tuple[str, Path | None]] = []
        if PRODUCT in settings.subjects:
            builds.append((PRODUCTS[engine], None))
            if settings.against is not None:
                builds.append((OTHER_BUILDS[engine], settings.against))
        small = [name for name in settings.workloads if name not in {SAMPLES, MIX}]
        for names in ([SAMPLES], small, [MIX]):
            wanted = [name for name in names if name in settings.workloads]
            for subject, program in builds:
                if wanted:
                    started = servers.uptake(settings.scratch, workers, engine, program)
                    self._session(
                        where, started, Row(subject, "", workers, MANY_CONNECTIONS), wanted
                    )
            for yardstick in self._yardsticks(engine, workers):
                if taken := [name for name in wanted if name in yardstick.workloads]:
                    processes = 1 if yardstick.only_process else workers
                    starting = yardstick.start(settings.scratch, processes)
                    row = Row(yardstick.title, "", processes, MANY_CONNECTIONS)
                    self._session(where, starting, row, taken, yardstick)

    def _yardsticks(self, engine: str, workers: int) -> list[Yardstick]:
        settings = self._settings
        first = engine == settings.engines[0]
        found = [YARDSTICKS[name] for name in settings.subjects if name in YARDSTICKS]
        return [
            one
            for one in found
            if (one.engine == engine or (one.engine is None and first))
            and (workers == settings.workers[0] or not one.only_process)
        ]

    def _log(self, text: str) -> None:
        elapsed = time.monotonic() - self._began
        print(f"[{elapsed:4.0f} s] {text}", file=sys.stderr, flush=True)

    def _stored(self, engine: str, workers: int) -> None:
        """Measure the rate when millions of samples are already stored, on one server."""
        subject = PRODUCTS[engine]
        row = Row(subject, SAMPLES, workers, MANY_CONNECTIONS)
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
        about: Row,
        names: Sequence[str],
        yardstick: Yardstick | None = None,
    ) -> None:
        """Start a server, measure, check the stored data, stop it, and measure its files."""
        peak = Footprint(about.subject, "peak", about.workers)
        try:
            with starting as server:
                if SAMPLES not in names:
                    server.memory.interval = SPARSE_SECONDS
                for name in names:
                    row = replace(about, workload=name)
                    if name == SAMPLES:
                        self._samples(where, server, row, yardstick)
                    elif name == MIX:
                        self._mix(where, server, row)
                    else:
                        sent = name if yardstick is None else yardstick.sends.get(name, name)
                        self._small(where, server, row, sent)
                if SAMPLES not in names:
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
        return self._measure_plan(where, server, row, _plan(server, row, first, seconds))

    def _measure_plan(self, where: str, server: Server, row: Row, plan: Plan) -> Measured | None:
        try:
            self._generator.submit(prepare, plan.workload).result()
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

    def _samples(self, where: str, server: Server, row: Row, yardstick: Yardstick | None) -> None:
        total = 0
        for connections in CONNECTIONS:
            one = replace(row, connections=connections)
            measured = self._measure(where, server, one, total, self._settings.seconds)
            if measured is None:
                return  # the acknowledged samples are unknown, so the rest cannot be checked
            total += measured.issued
            if one == row:
                self._growth(server, row, measured)
        place = Footprint(row.subject, "disk", row.workers)
        if yardstick is None:
            self._check(place, lambda: _missing_in_uptake(server, total))
        server.stop()
        if yardstick is not None:
            if yardstick.engine is None:
                return
            self._check(place, lambda: _missing_in_yardstick(server, total))
        files = server.disk_bytes()
        self.results.footprints[place].append(sum(files.values()) / (total * LARGE_BATCH))
        sizes = ", ".join(f"{name} {size / MEGABYTE:.1f} MB" for name, size in files.items())
        self._log(f"{where} {row.subject}, workers {row.workers}, left on the disk: {sizes}")

    def _small(self, where: str, server: Server, row: Row, sent: str) -> None:
        """Measure a workload with one connection, then with many."""
        first = 0
        for connections in (1, MANY_CONNECTIONS):
            one = replace(row, connections=connections)
            grows = one == row and row.workload == SMALL_BATCHES
            seconds = self._settings.seconds * (GROWTH_STRETCH if grows else 1)
            plan = replace(_plan(server, one, first, seconds), workload=sent)
            measured = self._measure_plan(where, server, one, plan)
            if measured is None:
                return
            first += measured.issued
            if grows and row.subject in PRODUCTS.values():
                self._growth(server, row, measured)

    def _mix(self, where: str, server: Server, row: Row) -> None:
        """Measure the mix as fast as it is answered, then at a share of that rate."""
        stored.fill(server, user_ids(), mix.STORED_BATCHES, mix.STORED_PER_BATCH)
        keys = (server.key, *stored.add_keys(server, mix.PHONES))
        plan = replace(_plan(server, row, 0, self._settings.seconds), keys=keys)
        measured = self._measure_plan(where, server, row, plan)
        if measured is not None:
            rate = measured.requests_per_second * PACE
            paced = replace(plan, first=measured.issued, rate=rate)
            self._measure_plan(where, server, replace(row, workload=MIX_PACED), paced)

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


def _plan(server: Server, row: Row, first: int, seconds: float) -> Plan:
    connections = row.connections
    return Plan(row.workload, server.port, (server.key,), connections, seconds, WARM_SECONDS, first)


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
                found = answer.json()["samples"]["steps"]["count"] if answer.is_success else None
            except (httpx2.TransportError, ValueError, KeyError) as error:
                return f"the stored samples could not be read: {error!r}"
            if found != sent[user] * LARGE_BATCH:
                return (
                    f"user {names[user]}: {sent[user] * LARGE_BATCH} samples acknowledged, "
                    f"{found} stored (status {answer.status_code})"
                )
    return ""


def _missing_in_yardstick(server: Server, requests: int) -> str:
    query = "SELECT count(*) FROM samples"
    if server.database is not None:
        [[found]] = server.database.execute(query, servers.NAME)
    else:
        with closing(sqlite3.connect(server.data / DATABASE_NAME)) as connection:
            (found,) = connection.execute(query).fetchone()
    wanted = requests * LARGE_BATCH
    return "" if found == wanted else f"{wanted} samples acknowledged, {found} stored"

"""The speed and the memory of exports of millions of samples, over HTTP and by the command.

`python -m benchmarks --only exports` runs only this part; `--samples` sets the number of samples.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx2
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks import plain_export, processor, stored
from benchmarks import server as servers
from benchmarks.memory import MemoryLog
from benchmarks.server import Server, ServerError
from benchmarks.subjects import PRODUCTS, SQLITE
from benchmarks.tables import table
from benchmarks.verdicts import verdict

PART = "exports"
YARDSTICK = "plain dump"
SAMPLES = 10_000_000
BATCHES, PER_BATCH = 20, 1000
OF_USER = BATCHES * PER_BATCH
MILLION = 1_000_000
ROUNDS = 3

PER_SECOND = 2_000_000
MEMORY = 500
"""The targets of Parquet: samples per second, and the upper limit of the memory in MB."""

YARDSTICK_PART = 10
"""The yardstick is slow, so it writes a tenth of the samples."""

PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """One export: its seconds, processor seconds, peak megabytes of memory, and bytes written."""

    seconds: float
    processor: float
    memory: float
    size: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The measurements of one way to export."""

    subject: str
    name: str
    samples: int
    runs: list[Run] = field(default_factory=list)
    measured: bool = False
    """Whether there is a target."""


class Form(NamedTuple):
    """A form of export: its name, and its destination in a folder."""

    name: str
    destination: str
    measured: bool = False


BY_HTTP = (
    Form("Parquet over HTTP", "samples.parquet", measured=True),
    Form("Arrow over HTTP", "samples.arrow"),
    Form("CSV over HTTP", "samples.csv"),
    Form("NDJSON over HTTP", "samples.ndjson"),
)
BY_COMMAND = (
    Form("Parquet, the command", "samples.parquet", measured=True),
    Form("Parquet, a folder by metric and month", "folder", measured=True),
)
PLAIN = (Form("Parquet", "samples.parquet"), Form("CSV", "samples.csv"))


def measure(scratch: Path, engine: str, samples: int) -> list[Figures]:
    """Measure every form on one engine, in rounds; on SQLite, measure the yardstick too.

    Raises:
        ServerError: an export failed, or does not contain all samples.
    """
    users = [f"user-{number:06}" for number in range(max(1, samples // OF_USER))]
    count = len(users) * OF_USER
    with servers.uptake(scratch, 1, engine) as server:
        began = time.monotonic()
        stored.fill(server, users, BATCHES, PER_BATCH)
        _log(f"{count:,} samples written in {time.monotonic() - began:.0f} s")
        ways = {
            form: Figures(PRODUCTS[engine], form.name, count, measured=form.measured)
            for form in (*BY_HTTP, *BY_COMMAND)
        }
        for number in range(ROUNDS):
            _log(f"round {number + 1}/{ROUNDS} on {engine}")
            for form in BY_HTTP:
                ways[form].runs.append(_over_http(server, form, scratch, count))
            for form in BY_COMMAND:
                ways[form].runs.append(_by_command(server, form, scratch, count))
        found = list(ways.values())
        if engine == SQLITE:
            found += _yardstick(server, scratch, count)
    return found


def _log(text: str) -> None:
    print(f"[{PART}] {text}", file=sys.stderr, flush=True)


def _over_http(server: Server, form: Form, scratch: Path, count: int) -> Run:
    headers = {"Authorization": f"Bearer {server.key}"}
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        place = Path(folder) / form.destination
        asked = f"{server.url}/uptake/v1/exports/samples?form={place.suffix[1:]}"
        used, began = processor.seconds(server), time.perf_counter()
        with (
            place.open("wb") as file,
            httpx2.stream(
                "GET", asked, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False
            ) as answer,
        ):
            if answer.status_code != 200:
                raise ServerError(f"{form.name}: {answer.status_code}")
            for part in answer.iter_raw():
                file.write(part)
        ended = time.perf_counter()
        used = processor.seconds(server) - used
        _check(place, count)
        peak = server.memory.peak_within(began, ended)
        return Run(ended - began, used, peak, place.stat().st_size)


def _check(place: Path, count: int) -> None:
    """Check that a file contains all samples, except Arrow files, which would have to be read."""
    if place.suffix == ".parquet":
        found = pq.read_metadata(place).num_rows
    elif place.suffix == ".arrow":
        return
    else:
        with place.open("rb") as file:
            lines = sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))
        found = lines - (place.suffix == ".csv")
    if found != count:
        raise ServerError(f"{place.name}: {found:,} samples, expected {count:,}")


def _by_command(server: Server, form: Form, scratch: Path, count: int) -> Run:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        destination = str(Path(folder) / form.destination)
        where = ["--data-dir", str(server.data)]
        if server.database is not None:
            where += ["--database", server.database.url(servers.NAME)]
        run, output = _program("uptake", "export", "samples", destination, *where, folder=folder)
        if f" {count:,} samples" not in output:
            raise ServerError(f"{form.name}: {output}")
        return run


def _program(module: str, *arguments: str, folder: str) -> tuple[Run, str]:
    """Run a module that writes into a folder; return its figures and its output."""
    command = [sys.executable, "-m", module, *arguments]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        memory = MemoryLog(process.pid)
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.stop()
    if process.returncode:
        raise ServerError(f"{module} {' '.join(arguments[:2])} ended with {process.returncode}")
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return Run(seconds, usage.ru_utime + usage.ru_stime, memory.peak_megabytes, size), output


def _yardstick(server: Server, scratch: Path, count: int) -> list[Figures]:
    """Exports row by row, from a database with one row per sample."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        exported, database = Path(folder) / "samples.parquet", Path(folder) / "plain.db"
        where = ["--data-dir", str(server.data)]
        _program("uptake", "export", "samples", str(exported), *where, folder=folder)
        rows = plain_export.fill(database, exported, count // YARDSTICK_PART)
        ways = [Figures(YARDSTICK, form.name, rows) for form in PLAIN]
        for _ in range(ROUNDS):
            for form, way in zip(PLAIN, ways, strict=True):
                with tempfile.TemporaryDirectory(dir=scratch) as out:
                    place = Path(out) / form.destination
                    run, _ = _program(
                        "benchmarks.plain_export", str(database), str(place), folder=out
                    )
                    _check(place, rows)
                way.runs.append(run)
    return ways


def show(found: Sequence[Figures], console: Console) -> None:
    """Print the figures, what they should reach, and whether they do."""
    shown = table("Exports of samples; the command with its start")
    for name in ("from", "form"):
        shown.add_column(name)
    for name in ("samples", "samples/s", "processor s / million", "peak MB", "bytes a sample"):
        shown.add_column(name, justify="right")
    for name in ("target", ""):
        shown.add_column(name)
    for one in found:
        rate = one.samples / median(run.seconds for run in one.runs)
        spent = median(run.processor for run in one.runs) / one.samples * MILLION
        memory = max(run.memory for run in one.runs)
        reached = rate >= PER_SECOND and memory < MEMORY
        shown.add_row(
            one.subject,
            one.name,
            f"{one.samples:,}",
            f"{rate:,.0f}",
            f"{spent:.2f}",
            f"{memory:,.0f}",
            f"{one.runs[0].size / one.samples:.1f}",
            f">= {PER_SECOND:,}/s, < {MEMORY} MB" if one.measured else "",
            verdict(reached=reached) if one.measured else "",
        )
    console.print(shown)

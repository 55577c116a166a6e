"""The uploader: a million samples from files to a server, again, and the loop that it replaces.

`python -m benchmarks.uploads` runs only this part; server and uploader share the machine.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from rich.console import Console

from benchmarks.apple_health import MINIMUM_RATE, PEAK_MEGABYTES, AppleHealth, measure_apple_health
from benchmarks.server import Server, ServerError, uptake
from benchmarks.tables import table

SAMPLES = 1_000_000
USERS = 50
DEVICES = ("iPhone", "Apple Watch")
FROM = datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=1)))
ROWS_AT_ONCE = 50_000
BATCH = 1000

FIRST_SECONDS = 10.0
AGAIN_SECONDS = 3.0
"""In which a million are to be acknowledged, and found to be so already."""


class Upload(NamedTuple):
    """One way to send the samples.

    Attributes:
        name: what was done.
        seconds: how long it took, the start of the program included.
        acknowledged: samples that were sent and taken.
        at_most: seconds that it may take; 0 where that is not laid down.
    """

    name: str
    seconds: float
    acknowledged: int
    at_most: float = 0.0


def made_up() -> Iterator[list[dict[str, object]]]:
    """The samples, some thousands at a time: steps of consecutive minutes, user after user."""
    each = SAMPLES // USERS
    rows = (_sample(user, number) for user in range(USERS) for number in range(each))
    while block := list(itertools.islice(rows, ROWS_AT_ONCE)):
        yield block


def _sample(user: int, number: int) -> dict[str, object]:
    start = FROM + timedelta(minutes=number)
    end = start + timedelta(seconds=59)
    return {
        "user_id": f"user-{user:03d}",
        "metric": "steps",
        "device_name": DEVICES[number % 3 == 0],
        "device_version": "17.2",
        "start_date": start.isoformat(timespec="milliseconds"),
        "end_date": end.isoformat(timespec="milliseconds"),
        "value": 1 + number * 7 % 200,
        "unit": "count",
    }


def make(folder: Path) -> tuple[Path, Path]:
    """The samples as NDJSON and as Parquet."""
    lines, table = folder / "samples.ndjson", folder / "samples.parquet"
    writer = None
    with lines.open("w", encoding="utf-8") as file:
        for block in made_up():
            file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in block)
            batch = pa.Table.from_pylist(block)
            writer = writer or pq.ParquetWriter(table, batch.schema)
            writer.write_table(batch)
    if writer is not None:
        writer.close()
    return lines, table


def send(server: Server, source: Path, ledger: Path) -> int:
    """Run the command; how many samples were acknowledged."""
    program = Path(sys.executable).with_name("uptake")
    command = [str(program), "send", "samples", str(source), "--to", server.url, "--json"]
    done = subprocess.run(
        [*command, "--ledger", str(ledger)],
        env={**os.environ, "UPTAKE_KEY": server.key},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"uptake send: {done.stderr.decode().strip()}")
    return int(json.loads(done.stdout)["acknowledged"])


def plain_loop(server: Server, source: Path) -> int:
    """What people write: a line at a time, one batch after the other, and no ledger."""
    sent = 0
    with requests.Session() as session, source.open(encoding="utf-8") as file:
        session.headers["Authorization"] = f"Bearer {server.key}"
        for user_id, rows in itertools.groupby(map(json.loads, file), lambda row: row["user_id"]):
            while data := list(itertools.islice(rows, BATCH)):
                body = {"user_id": user_id, "data_type": "steps", "data": data}
                answer = session.post(f"{server.url}/api/v2.2/samples", json=body, timeout=60)
                answer.raise_for_status()
                sent += answer.json()["accepted"]
    return sent


def _timed(name: str, at_most: float, expected: int, work: Callable[[], int]) -> Upload:
    began = time.perf_counter()
    acknowledged = work()
    seconds = time.perf_counter() - began
    if acknowledged != expected:
        raise ServerError(f"{name}: {acknowledged:,} samples were taken, and not {expected:,}")
    return Upload(name, seconds, acknowledged, at_most)


@contextmanager
def _fresh(scratch: Path, folder: Path) -> Iterator[tuple[Server, Path]]:
    """A new server with one worker, and a ledger that is not there yet."""
    with uptake(scratch, 1) as server:
        ledger = folder / f"{server.port}.ledger"
        yield server, ledger


def measure(scratch: Path) -> list[Upload]:
    """Every way, each to a new server."""
    found = []
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        lines, table = make(folder)
        for source, kind in ((lines, "NDJSON"), (table, "Parquet")):
            with _fresh(scratch, folder) as (server, ledger):
                for what, at_most, expected in (
                    (f"{kind}, first run", FIRST_SECONDS, SAMPLES),
                    (f"{kind}, second run", AGAIN_SECONDS, 0),
                ):
                    found.append(
                        _timed(
                            what,
                            at_most,
                            expected,
                            partial(send, server, source, ledger),
                        )
                    )
        with _fresh(scratch, folder) as (server, _):
            found.append(
                _timed("plain loop over NDJSON", 0.0, SAMPLES, lambda: plain_loop(server, lines))
            )
    return found


def show(uploads: list[Upload], export: AppleHealth, console: Console) -> None:
    """Print the figures, what they should reach, and whether they do."""
    shown = table(f"Uploader: {SAMPLES:,} samples of {USERS} users, server on the same machine")
    for name in ("what", "seconds", "samples/s", "target", ""):
        shown.add_column(name, justify="right" if name in {"seconds", "samples/s"} else "left")
    for one in uploads:
        rate = f"{one.acknowledged / one.seconds:,.0f}" if one.acknowledged else ""
        wanted = f"<= {one.at_most:g} s" if one.at_most else ""
        reached = ("yes" if one.seconds <= one.at_most else "NO") if one.at_most else ""
        shown.add_row(one.name, f"{one.seconds:.1f}", rate, wanted, reached)
    megabytes = export.megabytes / export.seconds
    shown.add_row(
        f"Apple Health export of {export.megabytes:,.0f} MB, read: {megabytes:,.0f} MB/s",
        f"{export.seconds:.1f}",
        f"{export.samples / export.seconds:,.0f}",
        f">= {MINIMUM_RATE:g} MB/s",
        "yes" if megabytes >= MINIMUM_RATE else "NO",
    )
    shown.add_row(
        f"its peak memory: {export.peak_megabytes:,.0f} MB",
        "",
        "",
        f"< {PEAK_MEGABYTES:g} MB",
        "yes" if export.peak_megabytes < PEAK_MEGABYTES else "NO",
    )
    console.print(shown)


def main() -> int:
    """Measure and print."""
    scratch = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir())
    show(measure(scratch), measure_apple_health(scratch), Console(width=120, highlight=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())

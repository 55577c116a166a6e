"""`python -m benchmarks.sizing`: what a million items cost in processor time and on the disk."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import server as servers
from benchmarks.bodies import ITEMS, PROFILE_USERS, WORKLOADS
from benchmarks.load import LoadError, Plan, generator, measure
from benchmarks.server import Server, ServerError

FEW, MANY = 1, 32
SCRATCH = Path("/var/tmp")  # noqa: S108 - only the parent of folders made by mkdtemp
MILLION = 1_000_000
TICKS = os.sysconf("SC_CLK_TCK")
_GROUP, _USER, _SYSTEM = 2, 11, 12
"""Fields of /proc/PID/stat behind the name (proc_pid_stat(5))."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What items of one workload cost.

    Attributes:
        seconds: processor time of a million, by the number of connections.
        bytes: on the disk, each.
    """

    seconds: dict[int, float]
    bytes: float


def _processor_seconds(group: int) -> float:
    """What the processes of a group have used so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(fields[_GROUP]) == group:
            ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks / TICKS


def _cost(load: ProcessPoolExecutor, server: Server, name: str, seconds: float) -> Cost:
    spent, issued = {}, 0
    for connections in (FEW, MANY):
        before = _processor_seconds(server.process.pid)
        plan = Plan(name, server.port, server.key, connections, seconds, 0.0, issued)
        measured = load.submit(measure, plan).result()
        if measured.refused:
            raise ServerError(f"{name}: {measured.refusal}")
        used = _processor_seconds(server.process.pid) - before
        spent[connections] = used / (measured.issued * ITEMS[name]) * MILLION
        issued += measured.issued
    server.stop()
    kept = PROFILE_USERS if name.startswith("profiles") else issued * ITEMS[name]
    return Cost(spent, sum(server.disk_bytes().values()) / kept)


def main() -> int:
    """Measure each workload on a server of its own and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="for data folders")
    options = parser.parse_args()
    print(
        "| one item | bytes on disk "
        f"| processor time of a million, {FEW} connection | {MANY} connections |"
    )
    print("|---|---|---|---|", flush=True)
    try:
        with generator() as load:
            for name in WORKLOADS:
                with servers.uptake(options.scratch, workers=1) as server:
                    cost = _cost(load, server, name, options.seconds)
                times = " | ".join(f"{cost.seconds[n]:,.1f} s" for n in (FEW, MANY))
                print(f"| {name} | {cost.bytes:,.1f} | {times} |", flush=True)
    except (ServerError, LoadError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

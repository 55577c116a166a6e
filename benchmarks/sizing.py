"""`python -m benchmarks.sizing`: the processor time and disk space of a million items."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processor
from benchmarks import server as servers
from benchmarks.bodies import PROFILE_USERS
from benchmarks.load import LoadError, Plan, generator, measure
from benchmarks.server import NAME, Server, ServerError
from benchmarks.subjects import ENGINES
from benchmarks.workloads import ITEMS, KINDS, MIX

FEW, MANY = 1, 32
SCRATCH = Path("/var/tmp")  # noqa: S108 - only the parent of folders made by mkdtemp
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What items of one workload cost.

    Attributes:
        seconds: processor time of a million, by the number of connections.
        bytes: on the disk, each.
    """

    seconds: dict[int, float]
    bytes: float


def _cost(load: ProcessPoolExecutor, server: Server, name: str, seconds: float) -> Cost:
    spent, issued = {}, 0
    empty = sum(server.disk_bytes().values())
    for connections in (FEW, MANY):
        before = processor.seconds(server)
        plan = Plan(name, server.port, (server.key,), connections, seconds, 0.0, issued)
        measured = load.submit(measure, plan).result()
        if measured.rejected:
            raise ServerError(f"{name}: {measured.rejection}")
        used = processor.seconds(server) - before
        spent[connections] = used / (measured.issued * ITEMS[name]) * MILLION
        issued += measured.issued
    if server.database is not None:
        # Remove dead rows, so that the size is that of the data.
        server.database.execute("VACUUM", NAME)
    server.stop()
    used_bytes = sum(server.disk_bytes().values())
    stored = PROFILE_USERS if name.startswith("profiles") else issued * ITEMS[name]
    return Cost(spent, (used_bytes - empty) / stored)


def main() -> int:
    """Measure each workload on its own server, and print one line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="(default: %(default)s)"
    )
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
            for name in (one for one in KINDS if one != MIX):
                with servers.uptake(options.scratch, 1, options.engine) as server:
                    cost = _cost(load, server, name, options.seconds)
                times = " | ".join(f"{cost.seconds[n]:,.1f} s" for n in (FEW, MANY))
                print(f"| {name} | {cost.bytes:,.1f} | {times} |", flush=True)
    except (ServerError, LoadError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Processor time of process trees: a figure that does not depend on what else a machine does."""

from __future__ import annotations

from pathlib import Path

from benchmarks.memory import tree
from benchmarks.server import Server

NANOSECOND = 1e-9


def seconds(server: Server) -> float:
    """What a server and its database have used so far."""
    roots = [server.process.pid]
    if server.database is not None:
        roots += server.database.pids()[:1]
    return sum(_seconds(pid) for root in roots for pid in tree(root))


def _seconds(pid: int) -> float:
    used = 0
    for stat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            used += int(stat.read_text().split()[0])
        except OSError:
            continue  # the thread ended meanwhile
    return used * NANOSECOND

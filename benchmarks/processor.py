"""Processor time of process trees: a figure that does not depend on what else a machine does."""

from __future__ import annotations

import time

from benchmarks.memory import tree
from benchmarks.server import Server

_CLOCK_BITS, _USED = 3, 2
"""Of the ids of clocks of other processes: what the scheduler gave them (Linux)."""


def seconds(server: Server) -> float:
    """What a server and its database have used so far."""
    roots = [server.process.pid]
    if server.database is not None:
        roots += server.database.pids()[:1]
    return sum(map(seconds_of, roots))


def seconds_of(root: int) -> float:
    """The processor time of a process and its descendants."""
    return sum(map(_seconds, tree(root)))


def _seconds(pid: int) -> float:
    """Of all threads of a process, also of those that have ended (clock_getcpuclockid(3))."""
    clock = (~pid << _CLOCK_BITS) | _USED
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0  # the process has ended

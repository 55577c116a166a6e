"""What a run is asked to measure, and what it has measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import Measured

CONNECTIONS = (1, 8, 32)
MANY_CONNECTIONS = 32


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
    subjects: tuple[str, ...]
    workloads: tuple[str, ...]
    parts: frozenset[str]
    """What is not measured by rounds of requests."""
    engines: tuple[str, ...]
    scratch: Path
    samples: int | None = None
    """That are exported, and of a user who is erased; None for as many as the targets are for."""
    against: Path | None = None
    """The `uptake` command of another build, measured in turns with this one."""

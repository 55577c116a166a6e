"""The targets on two cores, which include the load generator, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from benchmarks.results import MANY_CONNECTIONS, Footprint, Results, Row
from benchmarks.subjects import (
    EXECUTEMANY,
    GRANIAN,
    POCKETBASE,
    POSTGRESQL,
    PRODUCTS,
    SQLALCHEMY,
    SQLITE,
    SQLITE3,
    UNNEST,
    YARDSTICKS,
)
from benchmarks.verdicts import verdict
from benchmarks.workloads import DOCUMENTS, ITEMS, SAMPLES, SMALL_BATCHES, TITLES

P99_MS = 100.0
DISK_BYTES_PER_SAMPLE = 12.0
PEAK_MEGABYTES = 400.0
MEMORY_GROWTH = 1.05
"""Memory at the end of a run, relative to a quarter of it; a larger ratio means growth."""
REQUESTS_PER_SECOND = {
    PRODUCTS[SQLITE]: {
        SMALL_BATCHES: 3_000,
        DOCUMENTS: 3_000,
        "profiles-100x49": 600,
        "images": 100,
    },
    PRODUCTS[POSTGRESQL]: {SMALL_BATCHES: 2_500, DOCUMENTS: 2_500},
}


class Least(NamedTuple):
    """The least ratio of the rate of a workload to the rate of a yardstick.

    Attributes:
        engine: of the product.
        workload: that both are measured with.
        connections: None for the number that suits each.
        yardstick: by its name.
        ratio: to be met; None if the ratio is only printed.
    """

    engine: str
    workload: str
    connections: int | None
    yardstick: str
    ratio: float | None


RATIOS = (
    Least(SQLITE, SAMPLES, None, SQLALCHEMY, 20),
    Least(SQLITE, SAMPLES, None, SQLITE3, None),
    Least(POSTGRESQL, SAMPLES, None, EXECUTEMANY, 6),
    Least(POSTGRESQL, SAMPLES, None, UNNEST, 6),
    Least(SQLITE, DOCUMENTS, 1, SQLITE3, 1.5),
    Least(SQLITE, DOCUMENTS, 1, POCKETBASE, 1.5),
    Least(SQLITE, DOCUMENTS, MANY_CONNECTIONS, SQLITE3, 4),
    Least(SQLITE, DOCUMENTS, MANY_CONNECTIONS, POCKETBASE, 4),
    Least(SQLITE, DOCUMENTS, MANY_CONNECTIONS, GRANIAN, 1 / 3),
    Least(SQLITE, SMALL_BATCHES, 1, SQLITE3, None),
    Least(SQLITE, SMALL_BATCHES, MANY_CONNECTIONS, SQLITE3, None),
)
SMALL_BATCHES_RATIO = 0.8
"""Of small batches to documents."""


class Ratio(NamedTuple):
    """A ratio: of which product, of what, its value, and the target if there is one."""

    subject: str
    name: str
    value: float
    least: float | None


def items_per_second(results: Results, row: Row) -> list[float]:
    """The rate of each round in items: samples, rows, documents or images."""
    return [one.requests_per_second * ITEMS[row.workload] for one in results.rates.get(row, [])]


def best_rate(
    results: Results,
    subject: str,
    workload: str,
    connections: int | None = None,
    workers: int | None = None,
) -> float:
    """The best median in requests of the rows with these connections and workers; 0 if none."""
    rows = [
        row
        for row in results.rates
        if (row.subject, row.workload) == (subject, workload)
        and connections in {None, row.connections}
        and workers in {None, row.workers}
    ]
    return max((_median(results, row) for row in rows), default=0.0)


def _median(results: Results, row: Row) -> float:
    return median(one.requests_per_second for one in results.rates[row])


def ratios(results: Results) -> Iterator[Ratio]:
    """Those of which both sides were measured, each at its best number of workers."""
    for engine, workload, connections, yardstick, least in RATIOS:
        subject, beside = PRODUCTS[engine], YARDSTICKS[yardstick].title
        ours = best_rate(results, subject, workload, connections)
        theirs = best_rate(results, beside, workload, connections)
        if ours and theirs:
            conns = "at best" if connections is None else _connections(connections)
            yield Ratio(
                subject, f"{TITLES[workload]}, {conns}: over {beside}", ours / theirs, least
            )
    for subject in PRODUCTS.values():
        for connections in (1, MANY_CONNECTIONS):
            ours = best_rate(results, subject, SMALL_BATCHES, connections)
            theirs = best_rate(results, subject, DOCUMENTS, connections)
            if ours and theirs:
                name = f"{TITLES[SMALL_BATCHES]}, {_connections(connections)}: over documents"
                yield Ratio(subject, name, ours / theirs, SMALL_BATCHES_RATIO)
        yield from _two_workers(results, subject)


def _connections(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def _two_workers(results: Results, subject: str) -> Iterator[Ratio]:
    """The lowest ratio of two workers to one."""
    found = []
    for row in results.rates:
        if row.subject == subject and row.workers == 2:
            one = best_rate(results, subject, row.workload, row.connections, workers=1)
            if one:
                name = f"{TITLES[row.workload]}, {_connections(row.connections)}"
                found.append((_median(results, row) / one, name))
    if found:
        value, name = min(found)
        yield Ratio(subject, f"two workers over one, lowest: {name}", value, 1)


def rate_target(results: Results, row: Row) -> tuple[str, str]:
    """The target of a row and its verdict; empty if there is none."""
    targets = REQUESTS_PER_SECOND.get(row.subject)
    if targets is None or row.connections != MANY_CONNECTIONS:
        return "", ""
    measured = results.rates[row]
    wanted = targets.get(row.workload, 0)
    slow = median(one.requests_per_second for one in measured) < wanted
    # 32 senders of images wait for each other's decoding: 320 ms on average at the target rate.
    is_timed = row.workload != "images"
    late = is_timed and median(one.p99_ms for one in measured) > P99_MS
    target = f">= {wanted:,} req/s" if wanted else ""
    if slow or late:
        return target, "MISSED: " + ", ".join(["rate"] * slow + ["p99"] * late)
    return target, verdict(reached=True)


def footprint_target(results: Results, place: Footprint) -> tuple[str, str]:
    """The target and the verdict of a figure that is not a rate."""
    seen = results.footprints[place]
    if place.subject not in REQUESTS_PER_SECOND:
        return "", ""
    if place.name == "disk":
        return f"<= {DISK_BYTES_PER_SAMPLE:.0f}", verdict(
            reached=median(seen) <= DISK_BYTES_PER_SAMPLE
        )
    if place.name == "peak":
        return f"< {PEAK_MEGABYTES:.0f}", verdict(reached=max(seen) < PEAK_MEGABYTES)
    workload, _, moment = place.name.partition(" at ")
    if moment != "100%":
        return "", ""
    early = Footprint(place.subject, f"{workload} at 25%", place.workers)
    before = median(results.footprints[early])
    return "not growing", verdict(reached=median(seen) <= before * MEMORY_GROWTH)

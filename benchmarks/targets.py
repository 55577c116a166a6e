"""The targets on two cores, which include the load generator, and whether they are met."""

from __future__ import annotations

from statistics import median

from benchmarks.bodies import ITEMS
from benchmarks.rounds import MANY_CONNECTIONS, Footprint, Results, Row
from benchmarks.subjects import PRODUCTS, UPTAKE, UPTAKE_ON_POSTGRESQL, engine_of
from benchmarks.verdicts import verdict

YARDSTICK_RATIO = 20.0
POSTGRESQL_RATIO = 6.0
"""The ratio to the faster of the yardsticks on PostgreSQL."""
P99_MS = 100.0
DISK_BYTES_PER_SAMPLE = 12.0
PEAK_MEGABYTES = 400.0
MEMORY_GROWTH = 1.05
"""Memory at the end of a run, relative to a quarter of it; a larger ratio means growth."""
REQUESTS_PER_SECOND = {
    UPTAKE: {"samples-3": 3_000, "documents": 3_000, "profiles-50": 600, "images": 100},
    UPTAKE_ON_POSTGRESQL: {"samples-3": 2_500, "documents": 2_500},
}


def items_per_second(results: Results, row: Row) -> list[float]:
    """The rate of each round in items: samples, rows, documents or images."""
    return [one.requests_per_second * ITEMS[row.workload] for one in results.rates.get(row, [])]


def best_rate(results: Results, subject: str, *, workers: int = 0, connections: int = 0) -> float:
    """The best median of the rows for samples with the given workers and connections."""
    rows = [
        row
        for row in results.rates
        if row.subject == subject
        and row.workload == "samples"
        and workers in (0, row.workers)
        and connections in (0, row.connections)
    ]
    return max((median(items_per_second(results, row)) for row in rows), default=0.0)


def ratio(results: Results, subject: str, workers: int) -> float | None:
    """The best rate for samples with that many workers, relative to the best of a yardstick."""
    ours = best_rate(results, PRODUCTS[engine_of(subject)], workers=workers)
    theirs = best_rate(results, subject)
    return ours / theirs if ours and theirs else None


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

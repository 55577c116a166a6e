"""The tables: every figure with its spread and its target, and every fault in full."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import machine, targets
from benchmarks.bodies import LARGE_BATCH
from benchmarks.results import MANY_CONNECTIONS, Footprint, Results, Row, Settings
from benchmarks.subjects import TITLES as SUBJECTS
from benchmarks.tables import table
from benchmarks.verdicts import verdict
from benchmarks.workloads import TITLES

WIDTH = 160

_FOOTPRINT_NAMES = {
    "disk": "disk bytes per sample",
    "peak": "peak memory, MB",
    "samples at 25%": "memory at 25% of a run of batches of 1000, MB",
    "samples at 100%": "memory at 100% of it, MB",
    "samples-3 at 25%": "memory at 25% of a run of batches of 3, MB",
    "samples-3 at 100%": "memory at 100% of it, MB",
}


def _table(title: str, *columns: tuple[str, bool]) -> Table:
    made = table(title, padding=(0, 1, 0, 0))
    for name, number in columns:
        made.add_column(name, justify="right" if number else "left", no_wrap=True)
    return made


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _spread(values: list[float]) -> str:
    return f"{_figure(min(values))} - {_figure(max(values))}"


def _rates(results: Results) -> Table:
    table = _table(
        (
            "Rates: median of the rounds; rows are users x attributes; "
            f"at {MANY_CONNECTIONS} connections p99 <= {targets.P99_MS:.0f} ms is to be reached"
        ),
        ("server", False),
        ("what", False),
        ("workers", True),
        ("conns", True),
        ("per second", True),
        ("min - max", True),
        ("req/s", True),
        ("p50 ms", True),
        ("p99 ms", True),
        ("target", False),
        ("", False),
    )
    order = {name: at for at, name in enumerate(SUBJECTS)}
    names = list(TITLES)
    rows = {row for row in (*results.rates, *results.faults) if isinstance(row, Row)}
    for row in sorted(
        rows, key=lambda r: (names.index(r.workload), order[r.subject], r.workers, r.connections)
    ):
        table.add_row(*_rate_cells(results, row))
    return table


def _rate_cells(results: Results, row: Row) -> list[str]:
    head = [row.subject, TITLES[row.workload], str(row.workers), str(row.connections)]
    measured = results.rates.get(row, [])
    if not measured:
        return [*head, "failed", "", "", "", "", "", "FAULT"]
    items = targets.items_per_second(results, row)
    target, reached = targets.rate_target(results, row)
    return [
        *head,
        _figure(median(items)),
        _spread(items),
        _figure(median(one.requests_per_second for one in measured)),
        _figure(median(one.p50_ms for one in measured)),
        _figure(median(one.p99_ms for one in measured)),
        target,
        "FAULT" if row in results.faults else reached,
    ]


def _footprints(results: Results) -> Table:
    table = _table(
        "Footprint",
        ("server", False),
        ("what", False),
        ("workers", True),
        ("figure", True),
        ("min - max", True),
        ("target", False),
        ("", False),
    )
    names = list(_FOOTPRINT_NAMES)
    places = {one for one in (*results.footprints, *results.faults) if isinstance(one, Footprint)}
    for place in sorted(places, key=lambda p: (p.subject, p.workers, names.index(p.name))):
        table.add_row(*_footprint_cells(results, place))
    return table


def _ratios(results: Results) -> Table:
    """Ratios of the medians, each side with its best number of workers."""
    table = _table(
        "Ratios, each side with its best number of workers",
        ("server", False),
        ("what", False),
        ("ratio", True),
        ("target", False),
        ("", False),
    )
    for subject, name, value, least in targets.ratios(results):
        reached = "" if least is None else verdict(reached=value >= least)
        wanted = "" if least is None else f">= {least:.2g}"
        table.add_row(subject, name, f"{value:.2f}", wanted, reached)
    return table


def _footprint_cells(results: Results, place: Footprint) -> list[str]:
    head = [place.subject, _FOOTPRINT_NAMES[place.name], str(place.workers)]
    values = results.footprints.get(place, [])
    if not values:
        return [*head, "failed", "", "", "FAULT"]
    target, reached = targets.footprint_target(results, place)
    # Of several peaks, the highest must fit into the memory.
    value = max(values) if place.name == "peak" else median(values)
    return [
        *head,
        _figure(value),
        _spread(values),
        target,
        "FAULT" if place in results.faults else reached,
    ]


def _stored(results: Results) -> Table:
    table = _table(
        f"Samples taken by 1000 when so many are there already, {MANY_CONNECTIONS} connections",
        ("server", False),
        ("million samples", True),
        ("per second", True),
        ("p50 ms", True),
        ("p99 ms", True),
        ("processor ms a batch", True),
    )
    for (subject, millions), stored in results.stored.items():
        table.add_row(
            subject,
            f"{millions}",
            _figure(stored.measured.requests_per_second * LARGE_BATCH),
            _figure(stored.measured.p50_ms),
            _figure(stored.measured.p99_ms),
            f"{stored.milliseconds:.2f}",
        )
    return table


def _generator_share(results: Results) -> str:
    shares = [(one.generator_cpu, row) for row, series in results.rates.items() for one in series]
    if not shares:
        return ""
    share, row = max(shares, key=lambda pair: pair[0])
    return (
        f"The generator used at most {share:.0%} of one core "
        f"({row.subject}, {row.workload}, {row.connections} connections); "
        "the servers had the rest of the machine."
    )


def show(results: Results, settings: Settings, seconds: float, load_before: float) -> None:
    """Print everything to standard output."""
    console = Console(width=WIDTH, highlight=False)
    for line in machine.description(settings.scratch):
        console.print(escape(line))
    console.print(
        f"{settings.rounds} rounds, {settings.seconds:g} s a measurement, the servers in turns; "
        f"{seconds:.0f} s in all; "
        f"load of the machine before: {load_before:.2f}"
    )
    if machine.file_system(Path(settings.scratch)) in machine.VOLATILE:
        console.print("[bold]The data lay in memory: nothing here was durable.[/bold]")
    if results.rates:
        console.print(_rates(results))
        console.print(_ratios(results))
        console.print(_footprints(results))
    if results.stored:
        console.print(_stored(results))
    console.print(_generator_share(results))
    for place, faults in results.faults.items():
        name = place.workload if isinstance(place, Row) else place.name
        for fault in faults:
            where = f"{place.subject}, {name}, {place.workers} workers"
            console.print(f"[bold]FAULT[/bold] {escape(where)}: {escape(fault)}", soft_wrap=True)

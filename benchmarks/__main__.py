"""`python -m benchmarks`: measures Uptake and the yardstick here and prints the tables."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import console as pages
from benchmarks import erasure, exports, forwarding, phone_year, report, rollups, segments, uploads
from benchmarks.apple_health import measure_apple_health
from benchmarks.load import generator
from benchmarks.results import Settings
from benchmarks.rounds import GROWTH, Benchmark
from benchmarks.server import ServerError
from benchmarks.subjects import ENGINES, SUBJECTS
from benchmarks.workloads import KINDS

FREE_BYTES_NEEDED = 8_000_000_000
"""What one server may write at most, images above all; it is deleted before the next starts."""
MAX_SECONDS = 60.0
MAX_ROUNDS = 20
MAX_WORKERS = 64
_INTERRUPTED = 130
UPLOADER, ROLLUPS = "uploader", "rollups"
BESIDE = (
    *(segments.PART, UPLOADER, ROLLUPS, phone_year.PART, exports.PART, erasure.PART, pages.PART),
    forwarding.PART,
)
"""The parts that are measured after the servers."""
LEAST_SAMPLES = exports.OF_USER


def _scratch() -> Path:
    """The default parent of data folders: /var/tmp is on a disk, and /tmp may be in memory."""
    usual = Path("/var/tmp")  # noqa: S108 - only the parent of folders made by mkdtemp
    return usual if usual.is_dir() else Path(tempfile.gettempdir())


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=2.5, help="of each measurement (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="the median is printed (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2], help="to try each (default: 1 2)"
    )
    parser.add_argument(
        "--only",
        choices=(*SUBJECTS, *KINDS, *BESIDE, GROWTH, segments.LARGE),
        nargs="+",
        default=[*SUBJECTS, *KINDS, *BESIDE],
        help="measure only these servers and requests: `uptake documents` is one server with one"
        " kind of request, `documents` every server that takes it; `growth` and `segments-large`"
        " are measured only when they are listed here",
    )
    parser.add_argument(
        "--engine", choices=ENGINES, nargs="+", default=list(ENGINES), help="(default: both)"
    )
    parser.add_argument(
        "--scratch", type=Path, default=_scratch(), help="for data folders (default: %(default)s)"
    )
    parser.add_argument(
        "--samples",
        type=int,
        help=f"to export and to erase, to try it out (default: {exports.SAMPLES:,} and"
        f" {erasure.SAMPLES:,})",
    )
    parser.add_argument(
        "--against",
        type=Path,
        help="the `uptake` command of another build, to measure in turns with this one",
    )
    options = parser.parse_args()
    if not 0 < options.seconds <= MAX_SECONDS:
        parser.error(f"--seconds must be above 0 and at most {MAX_SECONDS:g}")
    if not 1 <= options.rounds <= MAX_ROUNDS:
        parser.error(f"--rounds must be 1 to {MAX_ROUNDS}")
    if not all(1 <= workers <= MAX_WORKERS for workers in options.workers):
        parser.error(f"--workers must be 1 to {MAX_WORKERS}")
    if options.samples is not None and options.samples < LEAST_SAMPLES:
        parser.error(f"--samples must be at least {LEAST_SAMPLES:,}")
    if options.against is not None and not options.against.is_file():
        parser.error(f"--against: {options.against} is not a file")
    if not options.scratch.is_dir():
        parser.error(f"--scratch: {options.scratch} is no folder")
    if shutil.disk_usage(options.scratch).free < FREE_BYTES_NEEDED:
        parser.error(f"--scratch: less than {FREE_BYTES_NEEDED / 1e9:.0f} GB free")
    subjects = tuple(name for name in SUBJECTS if name in options.only)
    workloads = tuple(name for name in KINDS if name in options.only)
    return Settings(
        seconds=options.seconds,
        rounds=options.rounds,
        workers=tuple(dict.fromkeys(options.workers)),
        subjects=subjects or (SUBJECTS if workloads else ()),
        workloads=workloads or (tuple(KINDS) if subjects else ()),
        parts=frozenset(options.only),
        engines=tuple(dict.fromkeys(options.engine)),
        scratch=options.scratch,
        samples=options.samples,
        against=options.against,
    )


def _terminated(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt  # so that servers and folders go away as after Ctrl-C


def _beside(settings: Settings) -> list[Callable[[], None]]:
    """Measure what is not done by rounds of requests; what shows each."""
    parts, scratch, engines = settings.parts, settings.scratch, settings.engines
    console = Console(width=report.WIDTH, highlight=False)
    shown: list[Callable[[], None]] = []
    if segments.PART in parts:
        shown += [partial(segments.show, segments.measure(scratch, one), one) for one in engines]
    if segments.LARGE in parts:
        for one in engines:
            figures = segments.measure_large(scratch, one)
            shown.append(partial(segments.show, figures, one, segments.LARGE_USERS))
    if UPLOADER in parts:
        sent = uploads.measure(scratch), measure_apple_health(scratch)
        shown.append(partial(uploads.show, *sent, console))
    if ROLLUPS in parts:
        shown.append(partial(rollups.show, rollups.measure(scratch, engines), console))
    if phone_year.PART in parts:
        shown.append(partial(phone_year.show, phone_year.measure(scratch, engines), console))
    exported = partial(exports.measure, samples=settings.samples or exports.SAMPLES)
    erased = partial(erasure.measure, samples=settings.samples or erasure.SAMPLES)
    by_engine: tuple[tuple[str, Callable[..., list[Any]], Callable[..., None]], ...] = (
        (exports.PART, exported, exports.show),
        (erasure.PART, erased, erasure.show),
        (forwarding.PART, forwarding.measure_engine, forwarding.show),
        (pages.PART, pages.measure, pages.show),
    )
    for part, measure, show in by_engine:
        if part in parts:
            found = [figures for one in engines for figures in measure(scratch, one)]
            shown.append(partial(show, found, console))
    return shown


def main() -> int:
    """The exit status: 0 when every answer was 200, 1 when not."""
    settings = _settings()
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGINT, _terminated)  # a shell's background job would ignore it
    load_before, *_ = os.getloadavg()
    began = time.monotonic()
    try:
        with generator() as process:
            benchmark = Benchmark(settings, process)
            benchmark.run()
        shown = _beside(settings)
    except KeyboardInterrupt:
        print("interrupted: servers stopped, data folders deleted", file=sys.stderr)
        return _INTERRUPTED
    except ServerError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    if benchmark.results.rates or benchmark.results.stored:
        report.show(benchmark.results, settings, time.monotonic() - began, load_before)
    for show in shown:
        show()
    return 1 if benchmark.results.faults else 0


if __name__ == "__main__":
    sys.exit(main())

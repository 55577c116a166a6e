"""Apple Health exports of any size, and how fast and in how much memory one is read.

`python -m benchmarks.apple_health make FILE [MEGABYTES]` writes one, `... read FILE` reads one.
"""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import msgspec

MEGABYTE = 1_000_000
EXPORT_MEGABYTES = 1000
MINIMUM_RATE = 60.0
"""The target: megabytes read per second."""

PEAK_MEGABYTES = 200.0
"""The upper limit of the memory."""

_WRITTEN_AT_ONCE = 20_000
_SEED = 13
_ZONES = (timezone(timedelta(hours=1)), timezone(timedelta(hours=2)))
_NO_BREAK = "\N{NO-BREAK SPACE}"
_FROM = datetime(2017, 1, 1, tzinfo=_ZONES[0])
_DEVICE = (
    "&lt;&lt;HKDevice: 0x{address:x}&gt;, name:{name}, manufacturer:Apple Inc., model:{model}, "
    "hardware:{hardware}, software:{software}&gt;"
)
_HWM = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class AppleHealth(NamedTuple):
    """One reading of an export, by a process of its own.

    Attributes:
        megabytes: of the file.
        samples: that were in it.
        seconds: from opening it to its end.
        processor_seconds: the same, of the processor.
        peak_megabytes: the most memory that the process had, the interpreter included.
    """

    megabytes: float
    samples: int
    seconds: float
    processor_seconds: float
    peak_megabytes: float


class _Kind(NamedTuple):
    """Records of one type and source, and how many of a hundred bytes they are."""

    share: int
    type: str
    source: str
    device: tuple[str, str, str]
    unit: str
    value: Callable[[random.Random], object]
    seconds: int
    inside: str = ""


_WATCH = ("Apple Watch", "Watch", "Watch6,7")
_PHONE = ("iPhone", "iPhone", "iPhone14,5")
_WATCH_NAME = f"Ada’s Apple{_NO_BREAK}Watch"  # noqa: RUF001 - as phones write it
_PHONE_NAME = "Ada’s iPhone"  # noqa: RUF001
_MOTION = '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>\n'
_BEATS = "".join(
    f'   <InstantaneousBeatsPerMinute bpm="{60 + i}" time="7:08:{10 + i},{i}0 AM"/>\n'
    for i in range(20)
)
_KINDS = (
    _Kind(24, "HeartRate", _WATCH_NAME, _WATCH, "count/min", lambda r: r.randrange(45, 180), 0,
          _MOTION),
    _Kind(6, "StepCount", _PHONE_NAME, _PHONE, "count", lambda r: r.randrange(1, 1200), 590),
    _Kind(6, "StepCount", _WATCH_NAME, _WATCH, "count", lambda r: r.randrange(1, 900), 420),
    _Kind(12, "DistanceWalkingRunning", _WATCH_NAME, _WATCH, "km",
          lambda r: f"{r.random():.6f}", 420),
    _Kind(20, "BasalEnergyBurned", _WATCH_NAME, _WATCH, "kcal",
          lambda r: f"{r.uniform(0, 20):.3f}", 600),
    _Kind(26, "ActiveEnergyBurned", _WATCH_NAME, _WATCH, "kcal",
          lambda r: f"{r.uniform(0, 9):.3f}", 60),
    _Kind(6, "HeartRateVariabilitySDNN", _WATCH_NAME, _WATCH, "ms",
          lambda r: f"{r.uniform(20, 90):.4f}", 59,
          f"  <HeartRateVariabilityMetadataList>\n{_BEATS}  </HeartRateVariabilityMetadataList>\n"),
)  # fmt: skip
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 13 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Workout|ActivitySummary)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
]>
<HealthData locale="en_FR">
 <ExportDate value="2024-03-06 09:00:00 +0100"/>
"""
_TAIL = "</HealthData>\n"


def make(path: Path, megabytes: float) -> int:
    """Write an export of about that size, always the same; its records stand together by type.

    Returns:
        How many steps and heart rates are in it.
    """
    chance = random.Random(_SEED)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD)
        for kind in _KINDS:
            left = megabytes * MEGABYTE * kind.share / 100
            records = _records(kind, chance)
            while left > 0:
                block = list(itertools.islice(records, _WRITTEN_AT_ONCE))
                size = len("".join(block).encode())
                if size > left:
                    block = block[: max(int(len(block) * left / size), 1)]
                file.writelines(block)
                left -= size
                count += len(block) * (kind.type in {"HeartRate", "StepCount"})
        file.write(_TAIL)
    return count


def _records(kind: _Kind, chance: random.Random) -> Iterator[str]:
    """Records of a kind, one a few minutes after the other, for ever."""
    name, model, hardware = kind.device
    end = f">\n{kind.inside} </Record>\n" if kind.inside else "/>\n"
    for block in itertools.count():
        # The object that the address is of lives as long as the phone's process.
        device = _DEVICE.format(
            address=chance.randrange(1 << 33, 1 << 34),
            name=name,
            model=model,
            hardware=hardware,
            software=f"{10 + block % 8}.{block % 5}",
        )
        head = (
            f' <Record type="HKQuantityTypeIdentifier{kind.type}" sourceName="{kind.source}"'
            f' sourceVersion="{10 + block % 8}.{block % 5}" device="{device}" unit="{kind.unit}"'
        )
        day = _FROM + timedelta(days=block)
        zone = day.astimezone(_ZONES[4 <= day.month <= 10]).strftime("%z")
        date = day.strftime("%Y-%m-%d")
        for second in range(0, 86_400, 240):
            start = second + chance.randrange(200)
            last = min(start + chance.randrange(kind.seconds + 1), 86_399)
            created = min(last + chance.randrange(90), 86_399)
            yield (
                f'{head} creationDate="{date} {_clock(created)} {zone}"'
                f' startDate="{date} {_clock(start)} {zone}"'
                f' endDate="{date} {_clock(last)} {zone}" value="{kind.value(chance)}"{end}'
            )


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def measure_apple_health(
    scratch: Path | None = None, megabytes: float = EXPORT_MEGABYTES
) -> AppleHealth:
    """Make an export in a folder, read it once in a process of its own, and delete it."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "export.xml"
        made = make(path, megabytes)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.apple_health", "read", str(path)],
            check=True,
            capture_output=True,
        )
    reading = msgspec.json.decode(done.stdout, type=AppleHealth)
    if reading.samples != made:
        raise ValueError(f"{made} samples were written and {reading.samples} read")
    return reading


def read(path: Path) -> AppleHealth:
    """Read an export to its end in this process, which should do nothing else."""
    from uptake.uploader.sources import Skipped, Unreadable, opening  # noqa: PLC0415 - not to write one

    began, processor = time.perf_counter(), time.process_time()
    samples = 0
    for found in opening.samples(path, user="ada")():
        if isinstance(found, Unreadable):
            raise ValueError(f"{found.file}:{found.line}: {found.reason}")  # noqa: TRY004
        assert not isinstance(found, Skipped)
        samples += found.num_rows
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    peak = _HWM.search(Path("/proc/self/status").read_text(encoding="ascii"))
    return AppleHealth(
        path.stat().st_size / MEGABYTE,
        samples,
        seconds,
        processor,
        int(peak[1]) * 1024 / MEGABYTE if peak else 0.0,
    )


def main() -> int:
    """Make an export, or read one."""
    match sys.argv[1:]:
        case ["make", path, *size]:
            count = make(Path(path), float(size[0]) if size else EXPORT_MEGABYTES)
            print(f"{path}: {count:,} steps and heart rates")
        case ["read", path]:
            print(msgspec.json.encode(read(Path(path))).decode())
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

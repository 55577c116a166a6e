"""Files of Google Fit and of Fitbit as Google Takeout has them, for tests."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

STEPS, BEATS = "com.google.step_count.delta", "com.google.heart_rate.bpm"
MERGED = {
    STEPS: f"derived:{STEPS}:com.google.android.gms:merge_step_deltas",
    BEATS: f"derived:{BEATS}:com.google.android.gms:merge_heart_rate_bpm",
}
WATCH = f"raw:{BEATS}:com.fossil.wear:Fossil:Gen 6:7f3a2b1c:live"
PHONE = f"raw:{STEPS}:com.google.android.gms:Google:Pixel 8:0a1b2c3d:Step Counter"
FIT = "Takeout/Fit/All Data/"
DAYS = "Takeout/Fit/Daily activity metrics/"
GLOBAL = "Takeout/Fitbit/Global Export Data/"
ACTIVITY = "Takeout/Google Health/Physical Activity_GoogleData/"

START = 1_709_618_889_000_000_000
"""2024-03-05T06:08:09Z in nanoseconds."""

SECOND = 1_000_000_000


def point(value: Any, start: int = START, seconds: float = 60, **differing: Any) -> dict[str, Any]:
    """A point of steps, or of a heart rate if the value has a fraction."""
    is_beat = isinstance(value, float)
    usual = {
        "fitValue": [{"value": {"fpVal" if is_beat else "intVal": value}}],
        "originDataSourceId": WATCH if is_beat else PHONE,
        "endTimeNanos": start + int(seconds * SECOND),
        "dataTypeName": BEATS if is_beat else STEPS,
        "startTimeNanos": start,
        "modifiedTimeMillis": 1_709_620_000_000,
        "rawTimestampNanos": 0,
    }
    return usual | differing


def stream(source: str | None, points: Iterable[Any]) -> str:
    """A file of `All Data`."""
    head = {} if source is None else {"Data Source": source}
    return json.dumps(head | {"Data Points": list(points)}, indent=2)


def fitbit(metric: str, values: Sequence[tuple[str, Any]]) -> str:
    """A file of `Global Export Data`, by the times of the values."""
    items = [
        {
            "dateTime": time,
            "value": str(value) if metric == "steps" else {"bpm": value, "confidence": 2},
        }
        for time, value in values
    ]
    return json.dumps(items, indent=2)


def archive(path: Path, files: dict[str, str]) -> Path:
    """A zip archive of files, and of one that has no samples."""
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        packed.writestr("Takeout/archive_browser.html", "<html></html>")
        for name, text in files.items():
            packed.writestr(name, text)
    return path


def folder(path: Path, files: dict[str, str]) -> Path:
    """The same as a folder."""
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return path

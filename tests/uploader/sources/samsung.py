"""Exports of Samsung Health for tests: CSV files as the app writes them, and their JSON files."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from .takeout import archive, folder

__all__ = ["archive", "beats", "days", "devices", "files", "folder", "steps", "table", "values"]

STAMP = "20240401101500"
START = 1_709_618_889_000
"""2024-03-05T06:08:09Z in milliseconds."""

STEP, BEAT = "com.samsung.health.step_count.", "com.samsung.health.heart_rate."
PHONE, WATCH, ALL = "Cv7sH/e0hQ", "1kGlEKqwGK", "VfS0qUERdZ"


def table(type_: str, rows: list[dict[str, Any]]) -> str:
    """A CSV file: its type, its header, and rows that end with a comma."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"{type_},6305010,{len(names)}", ",".join(names)]
    lines += [",".join(str(row.get(name, "")) for name in names) + "," for row in rows]
    return "\ufeff" + "\n".join(lines) + "\n"


def devices() -> str:
    """The devices of the person, and the sum of all."""
    named = {"device_group": "360003", "name": "Galaxy Watch4 (1A2B)", "capability": "x.json"}
    return table(
        "com.samsung.health.device_profile",
        [
            {"manufacturer": "Samsung", "model": "SM-R870", "deviceuuid": WATCH} | named,
            {
                "manufacturer": "samsung",
                "model": "SM-S911B",
                "deviceuuid": PHONE,
                "name": "My Device",
            },
            {"manufacturer": "all_target", "model": "", "deviceuuid": ALL, "name": "All"},
        ],
    )


def steps(value: Any = 12, prefix: str = STEP, **differing: Any) -> dict[str, Any]:
    """A row of the steps of a minute."""
    usual = {
        "start_time": "2024-03-05 06:08:09.000",
        "end_time": "2024-03-05 06:09:09.000",
        "count": value,
        "time_offset": "UTC+0100",
        "deviceuuid": PHONE,
        "pkg_name": "com.sec.android.app.shealth",
    }
    return {"run_step": 0, **{prefix + name: one for name, one in (usual | differing).items()}}


def beats(value: Any = 61.0, binning: str = "", **differing: Any) -> dict[str, Any]:
    """A row of a heart rate."""
    usual = {
        "start_time": "2024-03-05 06:08:09.000",
        "end_time": "2024-03-05 06:08:09.000",
        "heart_rate": value,
        "binning_data": binning,
        "time_offset": "UTC+0100",
        "deviceuuid": WATCH,
    }
    return {"source": "", **{BEAT + name: one for name, one in (usual | differing).items()}}


def days(binning: str = "", source_type: str = "-2", **differing: Any) -> dict[str, Any]:
    """A row of the merged steps of a day."""
    usual = {"day_time": 1_709_596_800_000, "count": 150, "binning_data": binning}
    return usual | {"source_type": source_type, "deviceuuid": ALL} | differing


def values(*rates: tuple[int, int, Any]) -> str:
    """A JSON file of heart rates, each with its first and last second after `START`."""
    return json.dumps(
        [
            {
                "heart_rate": rate,
                "heart_rate_max": rate,
                "heart_rate_min": rate,
                "start_time": START + 1000 * first,
                "end_time": START + 1000 * last,
            }
            for first, last, rate in rates
        ]
    )


def files(
    tables: dict[str, list[dict[str, Any]]], jsons: dict[str, str] | None = None
) -> dict[str, str]:
    """The files of an export, by their names in it."""
    top = f"samsunghealth_ada_{STAMP}"
    named = {f"{top}/{type_}.{STAMP}.csv": table(type_, rows) for type_, rows in tables.items()}
    named[f"{top}/com.samsung.health.device_profile.{STAMP}.csv"] = devices()
    for name, text in (jsons or {}).items():
        named[f"{top}/jsons/com.samsung.shealth.tracker.heart_rate/{name[0]}/{name}"] = text
    return named


def export(path: Path, *arguments: Any) -> Path:
    """An export in a zip archive."""
    return archive(path, files(*arguments))


def moment(text: str) -> int:
    """The milliseconds of a time."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)

"""Apple Health exports for tests."""

from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
]>
<HealthData locale="en_GB">
"""
TAIL = "</HealthData>\n"
FIRST_LINE = HEAD.count("\n") + 1
"""The line of the first record."""

STEPS = "HKQuantityTypeIdentifierStepCount"
HEART_RATE = "HKQuantityTypeIdentifierHeartRate"
PHONE = (
    "&lt;&lt;HKDevice: 0x{address:x}&gt;, name:iPhone, manufacturer:Apple Inc., model:iPhone, "
    "hardware:iPhone14,5, software:17.3.1&gt;"
)
USUAL = {
    "type": STEPS,
    "sourceName": "Ada\u2019s iPhone",
    "sourceVersion": "17.3",
    "device": PHONE.format(address=0x2823CC1E0),
    "unit": "count",
    "creationDate": "2024-03-05 07:20:00 +0100",
    "startDate": "2024-03-05 07:08:09 +0100",
    "endDate": "2024-03-05 07:18:09 +0100",
    "value": "12",
}
"""The attributes of a record in the order in which phones write them."""


def record(inside: str = "", **differing: Any) -> str:
    """A record on its own line; an attribute that is `...` is omitted."""
    attributes = {name: value for name, value in (USUAL | differing).items() if value is not ...}
    text = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f" <Record {text}>\n{inside} </Record>\n" if inside else f" <Record {text}/>\n"


def export(*records: str) -> str:
    """A complete export."""
    return HEAD + "".join(records) + TAIL


def expected_row(line: int = FIRST_LINE, **differing: Any) -> dict[str, Any]:
    """The row that is read from the usual record."""
    return {
        "user_id": "ada",
        "metric": "steps",
        "device_name": "Ada\u2019s iPhone",
        "device_version": "17.3.1",
        "start_date": "2024-03-05T07:08:09+01:00",
        "end_date": "2024-03-05T07:18:09+01:00",
        "value": 12.0,
        "unit": "count",
        "line": line,
    } | differing


def archive(path: Path, files: dict[str, str]) -> Path:
    """A zip archive of files."""
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return path

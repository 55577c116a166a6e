"""Samples of Fitbit in archives of Google Takeout, and in Fitbit's own export."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import UnknownSource, opening

from . import found, takeout
from .found import read_samples, skipped
from .takeout import ACTIVITY, GLOBAL, fitbit

STEPS = fitbit("steps", [("03/05/24 07:08:00", 12), ("03/05/24 23:59:00", 0)])
BEATS = fitbit("heart_rate", [("03/05/24 07:08:05", 61), ("03/05/24 07:08:10", 0)])
STEPS_TABLE = """timestamp,steps,data source
2024-03-05T07:08:00Z,12,Charge 6
2024-03-05T07:08:03.552356Z,10,"Phone, Health Kit"
2024-03-05T07:09:00Z,0,
"""
BEATS_TABLE = """timestamp,beats per minute,data source
2024-03-05T07:08:05Z,61.0,Charge 6
2024-03-05T07:08:10Z,,Charge 6
"""
DAYS = """Body
Date,Weight,BMI,Fat
"2024-03-05","71.2","22.1","18"

Activities
Date,Calories Burned,Steps,Distance,Floors,Minutes Sedentary
"2024-03-05","2,345","12,345","8.1","11","611"
"2024-12-31","2,100","0","0","0","900"
"06-03-2024","2,100","150","0.1","0","900"

Sleep
Start Time,End Time
"2024-03-05 11:07PM","2024-03-06 7:00AM"
"""


def row(line: int, value: float, start: str, end: str | None, **differing: Any) -> dict[str, Any]:
    """A row of steps."""
    usual = {"device_name": "Fitbit", "start_date": start, "end_date": end, "value": value}
    return found.steps(line, **usual | differing)


BEAT = {"metric": "bpm", "unit": "count/min"}
READ = [
    row(2, 61.0, "2024-03-05T07:08:05Z", None, **BEAT),
    row(2, 12.0, "2024-03-05T07:08:00Z", "2024-03-05T07:09:00Z"),
]


def test_the_values_of_the_tracker_are_read(tmp_path: Path) -> None:
    """Steps of a minute, and heart rates; the files of other metrics look like those of steps."""
    files = {
        f"{GLOBAL}steps-2024-03-05.json": STEPS,
        f"{GLOBAL}heart_rate-2024-03-05.json": BEATS,
        f"{GLOBAL}calories-2024-03-05.json": STEPS,
        f"{GLOBAL}resting_heart_rate-2024-03-05.json": BEATS,
    }
    path = takeout.archive(tmp_path / "takeout.zip", files)
    assert read_samples(path, user="ada") == (READ, [])
    assert skipped(opening.samples(path)) == [(1, "no heart rate measured"), (1, "0 steps")]
    for name in ("steps-2024-03-05.json", "heart_rate-2024-03-05.json"):
        file = takeout.folder(tmp_path / "files", files) / GLOBAL / name
        assert len(read_samples(file, device="Charge 6")[0]) == 1
    with pytest.raises(UnknownSource, match="begins as a JSON array"):
        opening.samples(tmp_path / "files" / GLOBAL / "calories-2024-03-05.json")


def test_tables_are_read_instead_of_the_same_values_in_json(tmp_path: Path) -> None:
    """They have the source of each value; the files of a metric without a table are read."""
    files = {
        f"{ACTIVITY}steps_2024-03-01.csv": STEPS_TABLE,
        f"{ACTIVITY}daily_resting_heart_rate.csv": BEATS_TABLE,
        f"{GLOBAL}steps-2024-03-05.json": STEPS,
        f"{GLOBAL}heart_rate-2024-03-05.json": BEATS,
    }
    path = takeout.folder(tmp_path / "a", files)
    rows = [
        row(2, 12.0, "2024-03-05T07:08:00Z", None, device_name="Charge 6"),
        row(3, 10.0, "2024-03-05T07:08:03.552356Z", None, device_name="Phone, Health Kit"),
    ]
    assert read_samples(path, user="ada") == ([READ[0], *rows], [])
    assert (1, "values that a CSV file of Fitbit has too") in skipped(opening.samples(path))
    files[f"{ACTIVITY}heart_rate_2024-03-05.csv"] = BEATS_TABLE
    path = takeout.archive(tmp_path / "b.zip", files)
    read, _ = read_samples(path, user="ada")
    beat = row(2, 61.0, "2024-03-05T07:08:05Z", None, device_name="Charge 6", **BEAT)
    assert read == [beat, *rows]


def test_the_export_of_the_site_has_the_steps_of_days(tmp_path: Path) -> None:
    """In local time; a date that may have the day or the month first is reported."""
    path = tmp_path / "fitbit_export_20240401.csv"
    path.write_text(DAYS)
    rows, unreadable = read_samples(path, user="ada")
    assert rows == [row(7, 12345.0, "2024-03-05T00:00:00", "2024-03-06T00:00:00")]
    assert unreadable == [(9, "the date '06-03-2024' is not like 2024-03-05")]
    assert skipped(opening.samples(path)) == [(1, "0 steps")]


def test_damaged_values_are_reported(tmp_path: Path) -> None:
    """Each with its line; what is read before a damage stays."""
    path = tmp_path / "steps-2024-03-05.json"
    times = ["03/05/24 07:08:00", "2024-03-05", "13/05/24 07:08:00"]
    path.write_text(fitbit("steps", [(time, 1) for time in times]).replace('"1"', '"x"', 1)[:-3])
    assert read_samples(path) == (
        [],
        [
            (2, "the value 'x' is not a number"),
            (6, "the time '2024-03-05' is not like 03/05/24 07:08:00"),
            (10, "the file ends before its array does: it is cut off"),
        ],
    )
    path.write_text(
        fitbit("steps", [(times[0], 1), (times[2], 1)]).replace(
            "[", '[{"dateTime": "a", "value": "1"}, 7, ', 1
        )
    )
    rows, unreadable = read_samples(path)
    assert len(rows) == 1
    assert [reason for _, reason in unreadable] == [
        "the time 'a' is not like 03/05/24 07:08:00",
        "lacks value",
        "month must be in 1..12",
    ]


MINUTES = st.datetimes(datetime(2001, 1, 1), datetime(2099, 12, 30)).map(  # noqa: DTZ001 - UTC
    lambda time: time.replace(microsecond=0)
)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(MINUTES, st.integers(1, 300)), min_size=1, max_size=6))
def test_what_was_written_is_read(values: list[tuple[datetime, int]]) -> None:
    """Every time and value, in both forms."""
    texts = [(time.strftime("%m/%d/%y %H:%M:%S"), value) for time, value in values]
    table = "".join(f"{time.isoformat()}Z,{value},a\n" for time, value in values)
    files = {
        "steps-2024-03-05.json": fitbit("steps", texts),
        "heart_rate_2024-03-05.csv": f"timestamp,beats per minute,data source\n{table}",
    }
    with tempfile.TemporaryDirectory() as folder:
        rows, unreadable = read_samples(takeout.folder(Path(folder), files))
    assert unreadable == []
    for metric, minute in (("steps", timedelta(minutes=1)), ("bpm", None)):
        assert [
            (one["start_date"], one["end_date"], one["value"])
            for one in rows
            if one["metric"] == metric
        ] == [
            (f"{time.isoformat()}Z", f"{(time + minute).isoformat()}Z" if minute else None, value)
            for time, value in values
        ]

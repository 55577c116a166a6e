"""Samples of Google Fit in archives of Google Takeout."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import opening

from . import found, takeout
from .found import read_samples, skipped
from .takeout import BEATS, DAYS, FIT, MERGED, PHONE, SECOND, START, STEPS, point, stream

PIXEL = "com.google.android.gms (Google Pixel 8)"
FOSSIL = "com.fossil.wear (Fossil Gen 6)"
QUARTERS = """Start time,End time,Move Minutes count,Average heart rate (bpm),Step count
07:00:00.000+01:00,07:15:00.000+01:00,3,61.5,120
07:15:00.000+01:00,07:30:00.000+01:00,,,
23:45:00.000+01:00,00:00:00.000+01:00,,,7
"""


def row(line: int, value: float, **differing: Any) -> dict[str, Any]:
    """The row that is read from a point of steps."""
    times = {"start_date": "2024-03-05T06:08:09Z", "end_date": "2024-03-05T06:09:09Z"}
    return found.steps(line, value=value, device_name=PIXEL, **times) | differing


def beat(line: int, value: float, time: str, **differing: Any) -> dict[str, Any]:
    """The row that is read from a point of a heart rate."""
    names = {"metric": "bpm", "device_name": FOSSIL, "unit": "count/min"}
    return row(line, value, **{**names, "start_date": time, "end_date": None, **differing})


def test_merged_steps_and_heart_rates_are_read(tmp_path: Path) -> None:
    """With the app and the device that measured them; the device's id is not sent."""
    beats = [point(61.0, seconds=0), point(62.5, START + SECOND // 4, seconds=1.5)]
    path = takeout.archive(
        tmp_path / "takeout-20240401.zip",
        {
            f"{FIT}derived_{STEPS}_com.google.json": stream(MERGED[STEPS], [point(12), point(0)]),
            f"{FIT}derived_{BEATS}_com.google.json": stream(MERGED[BEATS], beats),
            f"{FIT}raw_{STEPS}_com.google.json": stream(PHONE, [point(12)]),
            f"{FIT}derived_com.google.height_com.google.json": stream("derived:height", []),
            f"{DAYS}2024-03-05.csv": QUARTERS,
        },
    )
    rows, unreadable = read_samples(path, user="ada")
    assert unreadable == []
    assert sorted(rows, key=lambda one: one["metric"]) == [
        beat(4, 61.0, "2024-03-05T06:08:09Z"),
        beat(19, 62.5, "2024-03-05T06:08:09.25Z", end_date="2024-03-05T06:08:10.75Z"),
        row(4, 12.0),
    ]
    repeated = "values that another file of Google Fit has too"
    assert skipped(opening.samples(path)) == [(1, "0 steps"), (1, repeated), (1, repeated)]


@pytest.mark.parametrize(
    ("files", "values"),
    [
        ({"a": (MERGED[STEPS], 1), "b": (f"derived:{STEPS}:x:estimated_steps", 2)}, [1]),
        ({"a": (f"derived:{STEPS}:x:estimated_steps", 2), "b": (PHONE, 3)}, [2]),
        ({"a": (PHONE, 3), "b": (f"raw:{STEPS}:com.mi::: ", 4), "c": (None, 5)}, [3, 4, 5]),
    ],
)
def test_steps_are_read_from_the_best_files(
    files: dict[str, tuple[str | None, int]], values: list[int], tmp_path: Path
) -> None:
    """And the same steps in other files are not."""
    texts = {f"{name}.json": stream(id_, [point(value)]) for name, (id_, value) in files.items()}
    rows, _ = read_samples(takeout.folder(tmp_path / "Takeout", texts))
    assert [one["value"] for one in rows] == values


def test_the_tables_of_days_are_read_if_nothing_else_has_a_metric(tmp_path: Path) -> None:
    """Each quarter of an hour, with its offset; the last one ends on the next day."""
    path = takeout.folder(tmp_path, {"Fit/2024-03-05.csv": QUARTERS})
    morning = {"start_date": "2024-03-05T07:00:00.000+01:00", "device_name": "Google Fit"}
    ends = {"end_date": "2024-03-05T07:15:00.000+01:00"}
    night = {
        "start_date": "2024-03-05T23:45:00.000+01:00",
        "end_date": "2024-03-06T00:00:00.000+01:00",
        "device_name": "Google Fit",
    }
    steps = [row(2, 120.0, **morning, **ends), row(4, 7.0, **night)]
    average = beat(2, 61.5, "", **morning, **ends)
    assert read_samples(path, user="ada") == ([steps[0], average, steps[1]], [])
    (tmp_path / "steps.json").write_text(stream(PHONE, [point(12)]))
    rows, _ = read_samples(path, user="ada")
    assert rows == [average, row(4, 12.0)]
    day = tmp_path / "Fit" / "2024-03-05.csv"
    assert len(read_samples(day)[0]) == 3


def test_damaged_points_are_reported(tmp_path: Path) -> None:
    """Each with its line; a file that is cut off is read as far as it goes."""
    points: list[Any] = [
        point(12, originDataSourceId=f"raw:{STEPS}:com.mi\ud800::\u2028:x:y"),
        point(12, startTimeNanos="soon"),
        point(12, endTimeNanos=None),
        point(12, fitValue=[]),
        point(12, fitValue=[{"value": {"intVal": True}}]),
        point(12, startTimeNanos=10**30),
        None,
        point(0, fitValue=None, startTimeNanos=str(START)) | {"value": [{"intVal": 7}]},
    ]
    path = tmp_path / "steps.json"
    path.write_text(stream(PHONE, points))
    rows, unreadable = read_samples(path, user="ada")
    assert rows == [row(4, 12.0, device_name="com.mi?"), row(rows[-1]["line"], 7.0)]
    assert [reason for _, reason in unreadable] == [
        "the time 'soon' is not a number",
        "lacks endTimeNanos",
        "lacks value",
        "the value True is not a number",
        f"the time {10**30} is outside the years 1 to 9999",
        "lacks startTimeNanos",
    ]
    path.write_text(stream(PHONE, [point(12), point(13)])[:-30])
    rows, unreadable = read_samples(path)
    assert [one["value"] for one in rows] == [12.0]
    assert unreadable == [(19, "the file ends before its array does: it is cut off")]


NANOSECONDS = st.integers(0, 4_000_000_000 * SECOND)
POINTS = st.lists(
    st.builds(
        lambda start, seconds, value: point(value, start, seconds),
        *(NANOSECONDS, st.integers(0, 86_400), st.integers(1, 30_000)),
    ),
    max_size=6,
)


def moment(text: str) -> int:
    """The nanoseconds of a time."""
    clock, _, fraction = text.removesuffix("Z").partition(".")
    seconds = (
        datetime.fromisoformat(f"{clock}+00:00") - datetime(1970, 1, 1, tzinfo=UTC)
    ) / timedelta(seconds=1)
    return int(seconds) * SECOND + int(fraction.ljust(9, "0"))


@settings(deadline=None, max_examples=30)
@given(POINTS)
def test_what_was_written_is_read(points: list[dict[str, Any]]) -> None:
    """Every value and every nanosecond, in order."""
    with tempfile.TemporaryDirectory() as folder:
        path = takeout.folder(Path(folder), {"a.json": stream(PHONE, points)}) / "a.json"
        rows, unreadable = read_samples(path)
    assert unreadable == []
    assert [
        (moment(one["start_date"]), moment(one["end_date"] or one["start_date"]), one["value"])
        for one in rows
    ] == [
        (one["startTimeNanos"], one["endTimeNanos"], one["fitValue"][0]["value"]["intVal"])
        for one in points
    ]

"""Samples in exports of Samsung Health."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import UnknownSource, opening

from . import found, samsung
from .found import read_samples, skipped
from .samsung import ALL, START, beats, days, steps, values

STEPS = "com.samsung.shealth.tracker.pedometer_step_count"
BEATS = "com.samsung.shealth.tracker.heart_rate"
DAYS = "com.samsung.shealth.step_daily_trend"
PHONE, WATCH = "samsung SM-S911B", "Samsung SM-R870"
BINNING = "0a1b.com.samsung.health.heart_rate.binning_data.json"


def row(line: int, value: float, **differing: Any) -> dict[str, Any]:
    """The row that is read from the usual steps."""
    times = {"start_date": "2024-03-05T07:08:09+01:00", "end_date": "2024-03-05T07:09:09+01:00"}
    return found.steps(line, value=value, device_name=PHONE, **times) | differing


def beat(line: int, value: float, start: str, end: str | None, **differing: Any) -> dict[str, Any]:
    """A row that is read from a heart rate."""
    names = {"metric": "bpm", "device_name": WATCH, "unit": "count/min"}
    return row(line, value, **names, start_date=start, end_date=end) | differing


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_steps_and_heart_rates_are_read(form: str, tmp_path: Path) -> None:
    """In place of an average, the heart rates of the JSON file that a row names."""
    tables = {
        STEPS: [steps(), steps(0), steps(30, deviceuuid=ALL), steps(3, deviceuuid="?")],
        BEATS: [beats(), beats(70, BINNING), beats(72, "missing.json"), beats(74, "empty.json")],
        DAYS: [days()],
        "com.samsung.health.weight": [{"weight": 71.2, "start_time": "2024-03-05 06:08:09.000"}],
    }
    jsons = {BINNING: values((0, 59, 61), (60, 60, 62.5)), "empty.json": "[]"}
    files = samsung.files(tables, jsons)
    path = tmp_path / "export"
    path = samsung.archive(path, files) if form == "zip" else samsung.folder(path, files)
    rows, unreadable = read_samples(path, user="ada")
    start = "2024-03-05T07:08:09+01:00"
    assert unreadable == []
    assert rows == [
        row(3, 12.0),
        row(6, 3.0, device_name="Samsung Health"),
        beat(3, 61.0, start, None),
        beat(4, 61.0, start, "2024-03-05T07:09:08+01:00"),
        beat(4, 62.5, "2024-03-05T07:09:09+01:00", None),
        beat(5, 72.0, start, None),
        beat(6, 74.0, start, None),
    ]
    assert sorted(skipped(opening.samples(path))) == [
        (1, "0 steps"),
        (1, "steps that are the sum of several devices"),
        (1, "steps that the steps of each minute have too"),
    ]


def test_one_table_of_an_export_is_read(tmp_path: Path) -> None:
    """Also of an old version, in which the names of columns have no prefix."""
    path = tmp_path / "steps.csv"
    old = steps(12, prefix="", time_offset="UTC-0330")
    path.write_text(samsung.table("com.samsung.health.step_count", [old]))
    times = {"start_date": "2024-03-05T02:38:09-03:30", "end_date": "2024-03-05T02:39:09-03:30"}
    expected = row(3, 12.0, **times, device_name="Ada's phone")
    assert read_samples(path, user="ada", device="Ada's phone") == ([expected], [])


def test_an_export_in_local_time_is_recognized_by_a_json_file(tmp_path: Path) -> None:
    """The first heart rate that has one decides."""
    local = {"start_time": "2024-03-05 07:08:09.000", "end_time": "2024-03-05 07:08:39.000"}
    tables = {STEPS: [steps(**local)], BEATS: [beats(**local), beats(70, BINNING, **local)]}
    path = samsung.export(tmp_path / "a.zip", tables, {BINNING: values((0, 59, 61))})
    rows, _ = read_samples(path, user="ada")
    start = "2024-03-05T07:08:09+01:00"
    assert {one["start_date"] for one in rows} == {start}
    path = samsung.export(tmp_path / "b.zip", tables)
    rows, _ = read_samples(path, user="ada")
    assert {one["start_date"] for one in rows} == {"2024-03-05T08:08:09+01:00"}


def test_the_merged_steps_of_days_are_read_if_there_are_no_others(tmp_path: Path) -> None:
    """In local time: the ten minutes of the JSON file, or the whole day."""
    spans: list[dict[str, Any]] = [{} for _ in range(144)]
    spans[42], spans[143] = {"count": 100, "distance": 70.1}, {"count": 50}
    rows = [
        days("a.json"),
        days(source_type="0"),
        days("b.json", day_time="2024-03-06 00:00:00.000"),
        days(count="many"),
    ]
    jsons = {"a.json": json.dumps(spans), "b.json": json.dumps(spans[:9])}
    path = samsung.export(tmp_path / "a.zip", {DAYS: rows}, jsons)
    name = {"device_name": "Samsung Health"}
    assert read_samples(path, user="ada") == (
        [
            row(3, 100.0, start_date="2024-03-05T07:00:00", end_date="2024-03-05T07:10:00", **name),
            row(3, 50.0, start_date="2024-03-05T23:50:00", end_date="2024-03-06T00:00:00", **name),
            row(5, 150.0, start_date="2024-03-06T00:00:00", end_date="2024-03-07T00:00:00", **name),
        ],
        [(6, "the value 'many' is not a number")],
    )
    assert skipped(opening.samples(path)) == [
        (1, "steps of one device that those of all devices have too")
    ]


def test_damaged_rows_and_files_are_reported(tmp_path: Path) -> None:
    """Each with its line."""
    tables = {
        STEPS: [
            steps("x"),
            steps(""),
            steps(start_time="05.03.2024"),
            steps(start_time=""),
            steps(),
        ],
        BEATS: [beats(70, BINNING), beats(70, "cut.json"), beats(71, "none.json")],
    }
    whole = values((0, 9, 61), (10, 19, 62))
    jsons = {
        BINNING: whole.replace('"heart_rate": 61', '"heart_rate": "?"'),
        "cut.json": whole[:-20],
        "none.json": "{}",
    }
    path = samsung.export(tmp_path / "a.zip", tables, jsons)
    rows, unreadable = read_samples(path, user="ada")
    assert [one["value"] for one in rows] == [12.0, 62.0, 61.0, 71.0]
    assert unreadable == [
        (3, "the value 'x' is not a number"),
        (4, "lacks count"),
        (5, "the time '05.03.2024' is not like 2024-03-05 07:08:09.000"),
        (6, "the time None is not like 2024-03-05 07:08:09.000"),
        (1, "the value '?' is not a number"),
        (1, "the file ends before its array does: it is cut off"),
        (0, "does not begin with an array of items"),
    ]
    content = path.read_bytes()
    for size in (len(content) // 3, len(content) - 100):
        path.write_bytes(content[:size])
        with pytest.raises(UnknownSource, match="the archive cannot be read"):
            opening.samples(path)


RATES = st.lists(
    st.tuples(st.integers(0, 10**8), st.integers(1, 300)).map(
        lambda one: (one[0], one[0] + 59, one[1])
    ),
    min_size=1,
    max_size=5,
)
OFFSETS = st.integers(-18 * 4, 18 * 4).map(lambda quarters: 15 * quarters)


@settings(deadline=None, max_examples=25)
@given(RATES, OFFSETS, st.lists(st.integers(1, 30_000), min_size=1, max_size=4))
def test_what_was_written_is_read(
    rates: list[tuple[int, int, int]], minutes: int, counts: list[int]
) -> None:
    """Every value, and every moment in its offset."""
    sign, ahead = "-" if minutes < 0 else "+", abs(minutes)
    offset = f"{sign}{ahead // 60:02}{ahead % 60:02}"
    zone = {"time_offset": f"UTC{offset}"}
    tables = {STEPS: [steps(one, **zone) for one in counts], BEATS: [beats(70, BINNING, **zone)]}
    with tempfile.TemporaryDirectory() as folder:
        path = samsung.export(Path(folder) / "a.zip", tables, {BINNING: values(*rates)})
        rows, unreadable = read_samples(path)
    read = rows[len(counts) :]
    assert unreadable == []
    assert [one["value"] for one in rows] == [*counts, *(rate for *_, rate in rates)]
    assert {one["start_date"][-6:].replace(":", "") for one in rows} == {offset}
    for one, (first, last, _) in zip(read, rates, strict=True):
        assert samsung.moment(one["start_date"]) == START + 1000 * first
        assert samsung.moment(one["end_date"]) == START + 1000 * last

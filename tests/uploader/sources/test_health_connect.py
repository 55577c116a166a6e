"""Samples in Health Connect exports."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import UnknownSource, opening

from . import found
from .found import read_samples, skipped
from .health_connect import START, beats, export, steps

PHONE = "com.google.android.apps.fitness (Google Pixel 8)"
BAND = "com.fitbit.FitbitMobile (Fitbit Charge 6)"


def row(line: int, **differing: Any) -> dict[str, Any]:
    """The row that is read from the usual steps."""
    usual = {"device_name": PHONE, "end_date": "2024-03-05T07:18:09+01:00"}
    return found.steps(line, **usual | differing)


def beat(line: int, time: str, value: float, **differing: Any) -> dict[str, Any]:
    """The row that is read from a heart rate."""
    names = {"metric": "bpm", "device_name": BAND, "unit": "count/min"}
    return row(line, **names | differing, start_date=time, end_date=None, value=value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the database of a test."""
    return tmp_path / "health_connect_export.db"


def test_steps_and_heart_rates_are_read(file: Path) -> None:
    """With offsets and names; every heart rate of a series is a sample."""
    winter = steps(start_zone_offset=-12600, end_zone_offset=None, end_time=START + 1500)
    nowhere = steps(device_info_id=1, app_info_id=2, count=3)
    series = beats([(START, 61), (START + 5_250, 62)])
    export(file, [steps(), winter, nowhere, steps(device_info_id=9, app_info_id=None)], [series])
    assert read_samples(file, user="ada") == (
        [
            row(1),
            row(2, start_date="2024-03-05T02:38:09-03:30", end_date="2024-03-05T06:08:10.5Z"),
            row(3, device_name="com.fitbit.FitbitMobile", value=3.0),
            row(4, device_name="Health Connect"),
            beat(1, "2024-03-05T07:08:09+01:00", 61.0),
            beat(2, "2024-03-05T07:08:14.25+01:00", 62.0),
        ],
        [],
    )
    rows, _ = read_samples(file, device="Ada's phone")
    assert {one["device_name"] for one in rows} >= {"Ada's phone", PHONE, BAND}
    assert {one["user_id"] for one in rows} == {None}


@pytest.mark.parametrize("form", ["zip", "folder", "renamed", "gzip"])
def test_an_export_is_recognized_by_its_content(tmp_path: Path, file: Path, form: str) -> None:
    """In the zip that a phone writes, in a folder, or under any name."""
    export(file, [steps()], [beats([(START, 61)])])
    path = tmp_path / "Health Connect.zip"
    if form == "zip":
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            archive.write(file, "health_connect_export.db")
            archive.writestr("notes.csv", "a,b\n1,2\n")
    elif form == "folder":
        path = file.parent
    elif form == "renamed":
        path = file.rename(tmp_path / "download")
    else:
        path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, file.name))
    before = set(Path(tempfile.gettempdir()).glob("*.db"))
    assert read_samples(path, user="ada") == (
        [row(1), beat(1, "2024-03-05T07:08:09+01:00", 61.0)],
        [],
    )
    assert set(Path(tempfile.gettempdir()).glob("*.db")) <= before


def test_rows_without_time_or_number_are_reported(file: Path) -> None:
    """Each with its place; steps of 0 are counted as skipped."""
    walks = [
        steps(count="many"),
        steps(count=0),
        steps(count=b"\xff"),
        steps(start_time=None),
        steps(end_time=1 << 62),
        steps(),
    ]
    export(file, walks, [beats([(START, 9e999)])])
    rows, unreadable = read_samples(file, user="ada")
    assert rows == [row(6)]
    assert unreadable == [
        (1, "the value 'many' is not a number"),
        (3, r"the value b'\xff' is not a number"),
        (4, "the time None is not a number"),
        (5, f"the time {1 << 62} is outside the years 1 to 9999"),
        (1, "the value inf is not a number"),
    ]
    assert skipped(opening.samples(file, user="ada")) == [(1, "0 steps")]


def test_a_heart_rate_without_its_record_is_read(file: Path) -> None:
    """It has no offset and no device."""
    export(file, [], [beats([(START, 61)])], "DELETE FROM heart_rate_record_table")
    expected = beat(1, "2024-03-05T06:08:09Z", 61.0, device_name="Health Connect")
    assert read_samples(file, user="ada") == ([expected], [])


ENDLESS = """
DROP TABLE application_info_table;
CREATE VIEW application_info_table AS WITH RECURSIVE n(row_id) AS
  (SELECT 1 UNION ALL SELECT row_id + 1 FROM n) SELECT row_id, 'a' AS package_name FROM n;
"""
COMPUTED = """
DROP TABLE steps_record_table;
CREATE TABLE steps_record_table (row_id INTEGER PRIMARY KEY, device_info_id, app_info_id,
  start_time, start_zone_offset, end_time, end_zone_offset,
  count INTEGER AS (length(hex(zeroblob(9000000)))));
INSERT INTO steps_record_table (start_time) VALUES (1709618889000);
"""


def test_a_database_cannot_run_code(file: Path) -> None:
    """A view is no table, and a computed column is no column."""
    export(file, [steps()], script=ENDLESS)
    assert read_samples(file, user="ada") == ([row(1, device_name="Google Pixel 8")], [])
    export(file, script=COMPUTED)
    with pytest.raises(UnknownSource, match="the table steps_record_table has no column count"):
        opening.samples(file)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "ALTER TABLE steps_record_table RENAME COLUMN count TO amount",
            ": the table steps_record_table has no column count, as all known versions of ",
        ),
        (
            "DROP TABLE steps_record_table; DROP TABLE heart_rate_record_table",
            ": of no kind that can be read; samples are read from ",
        ),
    ],
)
def test_another_database_is_rejected(file: Path, script: str, reason: str) -> None:
    """The message names what is missing."""
    export(file, [steps()], script=script)
    with pytest.raises(UnknownSource) as rejected:
        opening.samples(file)
    assert str(rejected.value).startswith(f"{file}{reason}")


def test_damaged_databases_are_read_as_far_as_they_go(file: Path) -> None:
    """Cut off at any place, or with a page of zeros: some rows, then the reason, or a rejection."""
    export(file, [steps(start_time=START + i) for i in range(3000)])
    content = file.read_bytes()
    for size in (20, 90, 3000, 5000, len(content) // 2, len(content) - 4096):
        for damaged in (content[:size], content[:size] + bytes(4096) + content[size + 4096 :]):
            file.write_bytes(damaged)
            try:
                rows, unreadable = read_samples(file)
            except UnknownSource as error:
                assert str(error).startswith(f"{file}: ")  # noqa: PT017 - it need not be raised
            else:
                assert unreadable or len(rows) == 3000
                assert len(rows) <= 3000


OFFSETS = st.none() | st.integers(-18 * 60, 18 * 60).map(lambda minutes: minutes * 60)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - moments
    lambda moment: int(moment.replace(tzinfo=UTC).timestamp() * 1000)
)
WALKS = st.builds(
    lambda start, offset, length, count: steps(
        start_time=start,
        start_zone_offset=offset,
        end_time=start + length,
        end_zone_offset=offset,
        count=count,
    ),
    *(TIMES, OFFSETS, st.integers(0, 10**8), st.integers(1, 30_000)),
)
SERIES = st.builds(
    lambda samples, offset: beats(samples, start_zone_offset=offset),
    *(st.lists(st.tuples(TIMES, st.integers(1, 300)), max_size=4), OFFSETS),
)


def moment_of(text: str) -> tuple[datetime, timedelta | None]:
    """The moment and the offset of a time, none for UTC without one."""
    moment = datetime.fromisoformat(text)
    return moment, None if text.endswith("Z") else moment.utcoffset()


def moment(milliseconds: int, offset: int | None) -> tuple[datetime, timedelta | None]:
    """The same of a row of the database."""
    east = timedelta(seconds=offset or 0)
    found = datetime.fromtimestamp(0, timezone(east)) + timedelta(milliseconds=milliseconds)
    return found, None if offset is None else east


@settings(deadline=None, max_examples=30)
@given(st.lists(WALKS, max_size=5), st.lists(SERIES, max_size=3))
def test_what_was_written_is_read(walks: list[Any], series: list[Any]) -> None:
    """Every value, moment and offset, in order."""
    with tempfile.TemporaryDirectory() as folder:
        rows, unreadable = read_samples(export(Path(folder) / "any.db", walks, series))
    found = [(moment_of(one["start_date"]), one["value"]) for one in rows]
    ends = [moment_of(one["end_date"]) for one in rows if one["end_date"] is not None]
    assert unreadable == []
    assert found == [
        *((moment(one["start_time"], one["start_zone_offset"]), one["count"]) for one in walks),
        *(
            (moment(time, record["start_zone_offset"]), value)
            for samples, record in series
            for time, value in samples
        ),
    ]
    assert ends == [moment(one["end_time"], one["end_zone_offset"]) for one in walks]

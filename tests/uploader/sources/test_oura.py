"""Samples in exports of Oura."""

import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import opening

from . import found, takeout
from .found import read_samples, skipped

BEATS = """timestamp;bpm;source
2024-03-05T06:08:09.000Z;61;awake
2024-03-05T06:13:09.000Z;;rest
soon;62;rest
2024-03-05T06:18:09+00:00;62.5;workout
"""
DAYS = """id;active_calories;contributors;day;score;steps;timestamp
a;420;"{""stay_active"": 85, ""x"": ""1;2""}";2024-03-05;81;9000;2024-03-05T04:00:00.000+01:00
b;420;;2024-03-06;;0;2024-03-06T04:00:00.000+01:00
c;;;2024-03-07;;120;
d;;;March 8;;120;
e;;;2024-03-09;;many;
"""


def row(line: int, value: float, start: str, end: str | None, **differing: Any) -> dict[str, Any]:
    """A row of steps."""
    usual = {"device_name": "Oura Ring", "start_date": start, "end_date": end, "value": value}
    return found.steps(line, **usual | differing)


def test_heart_rates_and_the_steps_of_days_are_read(tmp_path: Path) -> None:
    """A day begins at 4 o'clock; without a time it has no offset."""
    files = {
        "App Data/dailyactivity.csv": DAYS,
        "App Data/heartrate.csv": BEATS,
        "App Data/temperature.csv": "timestamp;skin_temp\n2024-03-05T06:08:09Z;31.1\n",
        "Subscriptions/account.csv": "id;plan\n1;member\n",
    }
    beat = {"metric": "bpm", "unit": "count/min"}
    rows = [
        row(2, 9000, "2024-03-05T04:00:00.000+01:00", "2024-03-06T04:00:00.000+01:00"),
        row(4, 120, "2024-03-07T04:00:00", "2024-03-08T04:00:00"),
        row(2, 61, "2024-03-05T06:08:09.000Z", None, **beat),
        row(4, 62, "soon", None, **beat),
        row(5, 62.5, "2024-03-05T06:18:09+00:00", None, **beat),
    ]
    unreadable = [
        (5, "the date 'March 8' is not like 2024-03-05"),
        (6, "the value 'many' is not a number"),
        (3, "lacks bpm"),
    ]
    for path in (takeout.archive(tmp_path / "a.zip", files), takeout.folder(tmp_path / "a", files)):
        assert read_samples(path, user="ada") == (rows, unreadable)
    assert skipped(opening.samples(path)) == [(1, "0 steps")]
    file = tmp_path / "a" / "App Data" / "heartrate.csv"
    assert {one["device_name"] for one in read_samples(file, device="Ring 4")[0]} == {"Ring 4"}


TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - local
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(TIMES, ZONES, st.integers(1, 300)), min_size=1, max_size=6))
def test_what_was_written_is_read(values: list[tuple[datetime, timezone, int]]) -> None:
    """Every time and value, in both files."""
    texts = [
        (time.replace(tzinfo=zone).isoformat(timespec="milliseconds"), value)
        for time, zone, value in values
    ]
    beats = "".join(f"{time};{value};awake\n" for time, value in texts)
    days = "".join(f"x;1;2024-03-05;{time};{value}\n" for time, value in texts)
    files = {
        "heartrate.csv": f"timestamp;bpm;source\n{beats}",
        "dailyactivity.csv": f"id;active_calories;day;timestamp;steps\n{days}",
    }
    with tempfile.TemporaryDirectory() as folder:
        rows, unreadable = read_samples(takeout.folder(Path(folder), files))
    assert unreadable == []
    assert [(one["start_date"], one["value"]) for one in rows] == texts * 2
    ends = [(time + timedelta(days=1)).replace(tzinfo=zone) for time, zone, _ in values]
    assert [datetime.fromisoformat(one["end_date"]) for one in rows[: len(values)]] == ends

"""Samples in FIT files."""

import struct
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import UnknownSource, opening

from . import fit, found
from .fit import ACTIVITY, MONITORING, MONITORING_INFO, SOFTWARE, START, WATCH, monitoring, record
from .found import read_samples, skipped

NAME = "garmin fr945"


def beat(line: int, value: float, time: str, **differing: Any) -> dict[str, Any]:
    """A row of a heart rate."""
    usual = {"metric": "bpm", "unit": "count/min", "device_name": NAME, "device_version": "13.22"}
    return found.steps(line, **usual | {"start_date": time, "value": value} | differing)


def walk(line: int, value: float, start: str, end: str, **differing: Any) -> dict[str, Any]:
    """A row of steps."""
    usual = {"device_name": NAME, "start_date": start, "end_date": end, "value": value}
    return found.steps(line, **usual | differing)


@pytest.mark.parametrize("endian", ["<", ">"])
def test_the_heart_rates_of_an_activity_are_read(endian: str, tmp_path: Path) -> None:
    """With the offset that is at the end of the file, and the names of the device."""
    path = tmp_path / "download"
    end = ACTIVITY, {"timestamp": START + 60, "local": START + 60 + 3602}
    beats = [
        record(0, 61, cadence=80),
        record(1, None),
        record(2, 0),
        record(3, 255),
        record(4, 62),
    ]
    path.write_bytes(fit.file([WATCH, SOFTWARE, *beats, end], endian))
    rows = [beat(7, 61, "2024-03-05T07:08:09+01:00"), beat(15, 62, "2024-03-05T07:08:13+01:00")]
    assert read_samples(path, user="ada") == (rows, [])
    assert skipped(opening.samples(path)) == [(1, "no heart rate measured")]


def test_the_steps_of_a_day_are_read_as_they_were_added(tmp_path: Path) -> None:
    """From midnight on, for walking and running; the count starts again at the next midnight."""
    local = START - START % 86_400
    info = MONITORING_INFO, {"timestamp": local + 5 * 3600, "local": local}
    day = START - (local + 5 * 3600)
    messages = [
        WATCH,
        info,
        monitoring(0, cycles=100, activity=6),
        monitoring(60, cycles=130, activity=6),
        monitoring(60, cycles=40, activity=1),
        monitoring(60, cycles=7, activity=2),
        monitoring(120, cycles=130, packed=0b10100110),
        monitoring(180, cycles_16=12, activity=6),
    ]
    assert day > 0
    path = tmp_path / "M3500000.FIT"
    path.write_bytes(fit.file(messages))
    rows, unreadable = read_samples(path, user="ada")
    midnight, hour = "2024-03-05T00:00:00-05:00", "2024-03-05T01:"
    assert unreadable == []
    assert rows == [
        walk(7, 100, midnight, f"{hour}08:09-05:00"),
        walk(9, 30, f"{hour}08:09-05:00", f"{hour}09:09-05:00"),
        walk(11, 40, midnight, f"{hour}09:09-05:00"),
        walk(17, 12, f"{hour}10:09-05:00", f"{hour}11:09-05:00"),
    ]
    del messages[1]
    path.write_bytes(fit.file(messages))
    rows, _ = read_samples(path, user="ada")
    assert [(one["value"], one["start_date"]) for one in rows] == [
        (30, "2024-03-05T06:08:09Z"),
        (12, "2024-03-05T06:10:09Z"),
    ]
    assert skipped(opening.samples(path)) == [(2, "steps that were counted before the file begins")]


def test_short_times_and_compressed_times_are_read(tmp_path: Path) -> None:
    """The last 16 bits of a time, and the last 5 in the header of a message."""
    base = START & ~0xFFFF | 0xFFF0
    body = fit.message(MONITORING, {"timestamp": base})
    for short, rate in ((0xFFFE, 61), (0x0002, 62)):
        body += fit.message(MONITORING, {"short": short, "heart_rate": rate}, local=1)
    body += fit.message(fit.RECORD, {"timestamp": START + 30})
    definition = struct.pack("<BBBHB3B", 0x42, 0, 0, fit.RECORD, 1, 3, 1, fit.UINT8)
    body += definition + bytes([0x80 | 2 << 5 | (START + 33) & 0x1F, 63])
    head = struct.pack("<2BHI4s", 12, 0x10, 2132, len(body), b".FIT")
    path = tmp_path / "a.fit"
    path.write_bytes(head + body + struct.pack("<H", fit.crc(head + body)))
    rows, unreadable = read_samples(path)
    assert unreadable == []
    moments = [
        int(datetime.fromisoformat(one["start_date"]).timestamp()) - fit.EPOCH for one in rows
    ]
    assert moments == [base + 14, base + 18, START + 33]
    assert [one["value"] for one in rows] == [61, 62, 63]
    assert {one["device_name"] for one in rows} == {"FIT"}


def test_archives_and_folders_and_chained_files_are_read(tmp_path: Path) -> None:
    """Files in order of name; a file may have several after each other."""
    one = fit.file([WATCH, record(0, 61)])
    two = fit.file([(fit.FILE_ID, {"manufacturer": 1, "name": "Edge  530"}), record(1, 62)])
    (tmp_path / "b.fit").write_bytes(one + two)
    (tmp_path / "a.fit").write_bytes(two)
    (tmp_path / "c.fit").write_bytes(b"not a FIT file")
    archive = tmp_path / "garmin.zip"
    with ZipFile(archive, "w") as packed:
        for name in "abc":
            packed.write(tmp_path / f"{name}.fit", f"activities/{name}.fit")
    for path in (archive, tmp_path):
        rows, unreadable = read_samples(path)
        assert unreadable == []
        read = [(row["value"], row["device_name"]) for row in rows]
        assert read == [(62, "garmin Edge 530"), (61, NAME), (62, "garmin Edge 530")]


def test_damaged_files_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    """Then one line has the reason."""
    whole = fit.file([WATCH, *(record(i, 60 + i) for i in range(20))])
    path = tmp_path / "a.fit"
    for damaged, count, reason in (
        (whole[:-40], 17, "the rest cannot be read: "),
        (whole[:-2] + b"\0\0", 20, "the checksum is wrong: the file is damaged"),
        (whole[: 35 + 3 * 18] + b"\x0f" + whole[36 + 3 * 18 :], 3, "the rest cannot be read: "),
        (
            fit.file([(fit.RECORD, {"timestamp": 77, "heart_rate": 60})]),
            0,
            "has no time: the clock",
        ),
        (whole[:14], 0, "the rest cannot be read: "),
    ):
        path.write_bytes(damaged)
        rows, [(_, fault)] = read_samples(path)
        assert (len(rows), fault[: len(reason)]) == (count, reason)


def test_without_the_library_a_message_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "fitdecode", None)
    path = tmp_path / "a.fit"
    path.write_bytes(fit.file([WATCH]))
    with pytest.raises(UnknownSource) as rejected:
        opening.samples(path)
    assert str(rejected.value) == (
        f"{path}: FIT files are read with fitdecode, which is not installed;"
        " install it: pip install fitdecode"
    )


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 4 * 10**8), st.integers(1, 254)), max_size=6),
    st.integers(-56, 56),
)
def test_what_was_written_is_read(values: list[tuple[int, int]], quarters: int) -> None:
    """Every value and moment, in the offset of the file."""
    end = ACTIVITY, {"timestamp": START, "local": START + 900 * quarters}
    content = fit.file([WATCH, *(record(*one) for one in values), end])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.fit"
        path.write_bytes(content)
        rows, unreadable = read_samples(path)
    assert unreadable == []
    times = [datetime.fromisoformat(one["start_date"]) for one in rows]
    assert [int(time.timestamp()) - fit.EPOCH - START for time in times] == [at for at, _ in values]
    assert [one["value"] for one in rows] == [value for _, value in values]
    offsets = {time.utcoffset() for time in times}
    assert {one.total_seconds() for one in offsets if one is not None} <= {900.0 * quarters}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=4))
def test_any_damage_is_reported_or_read(changes: list[tuple[float, bytes]]) -> None:
    """Never another error."""
    messages = [WATCH, SOFTWARE, record(0, 61), monitoring(9, cycles=9, activity=6), record(9, 62)]
    content = fit.file(messages)
    for place, change in changes:
        at = 14 + int(place * (len(content) - 14))
        content = content[:at] + change + content[at + len(change) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.fit"
        path.write_bytes(content)
        _, unreadable = read_samples(path)
    assert all(reason for _, reason in unreadable)

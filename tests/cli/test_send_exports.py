"""`uptake send samples` with exports of devices and apps: all their samples are stored."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from uploader.sending import held
from uploader.sources import fit, health_connect, samsung, takeout
from uptake.testing.live import LiveServer

from .conftest import Uptake

Row = tuple[str, str, str | None, float]
"""Device, start, end and value of a sample."""

DAY = "2024-03-05T"


def health_connect_export(folder: Path) -> Path:
    """Three rows of steps and a series of three heart rates."""
    start = health_connect.START
    walks = [
        health_connect.steps(start_time=start + 600_000 * i, end_time=start + 600_000 * (i + 1))
        for i in range(3)
    ]
    series = health_connect.beats([(start + 5_000 * i, 61 + i) for i in range(3)])
    return health_connect.export(folder / "health_connect_export.db", walks, [series])


def google_fit_export(folder: Path) -> Path:
    """Merged steps and heart rates, in an archive."""
    minute = 60 * takeout.SECOND
    steps = [takeout.point(12 + i, takeout.START + i * minute) for i in range(3)]
    beats = [takeout.point(61.5 + i, takeout.START + i * minute, seconds=0) for i in range(3)]
    files = {
        f"{takeout.FIT}derived_{name}_com.google.json": takeout.stream(takeout.MERGED[name], points)
        for name, points in ((takeout.STEPS, steps), (takeout.BEATS, beats))
    }
    return takeout.archive(folder / "takeout.zip", files)


def fitbit_export(folder: Path) -> Path:
    """A folder of files of the tracker."""
    files = {
        f"{takeout.GLOBAL}{metric}-2024-03-05.json": takeout.fitbit(
            metric, [(f"03/05/24 07:08:0{i}", 61 + i) for i in range(3)]
        )
        for metric in ("steps", "heart_rate")
    }
    return takeout.folder(folder, files)


def samsung_health_export(folder: Path) -> Path:
    """The steps of three minutes, and a heart rate with the JSON file of three."""
    minutes = [
        {
            "start_time": f"2024-03-05 06:0{minute}:00.000",
            "end_time": f"2024-03-05 06:0{minute + 1}:00.000",
        }
        for minute in range(3)
    ]
    tables = {
        "com.samsung.shealth.tracker.pedometer_step_count": [
            samsung.steps(12 + i, **minute) for i, minute in enumerate(minutes)
        ],
        "com.samsung.shealth.tracker.heart_rate": [samsung.beats(62, "a.binning_data.json")],
    }
    rates = samsung.values((0, 9, 61), (10, 19, 62), (20, 29, 63))
    return samsung.export(folder / "samsunghealth.zip", tables, {"a.binning_data.json": rates})


def oura_export(folder: Path) -> Path:
    """Three days, and three heart rates, in an archive."""
    days = "".join(f"x;1;2024-03-0{day};{9000 + day}\n" for day in (5, 6, 7))
    beats = "".join(f"2024-03-05T07:08:0{i}Z;{61 + i};rest\n" for i in range(3))
    files = {
        "App Data/dailyactivity.csv": f"id;active_calories;day;steps\n{days}",
        "App Data/heartrate.csv": f"timestamp;bpm;source\n{beats}",
    }
    return takeout.archive(folder / "data.zip", files)


def fit_file(folder: Path) -> Path:
    """A file of monitoring with steps and heart rates, which begins at midnight."""
    local = fit.START - fit.START % 86_400
    messages = [
        fit.WATCH,
        (fit.MONITORING_INFO, {"timestamp": local - 3600, "local": local}),
        *(fit.monitoring(60 * i, cycles=10 + 12 * i, activity=6) for i in range(3)),
        *(fit.monitoring(60 * i, heart_rate=61 + i) for i in range(3)),
    ]
    path = folder / "M3500000.FIT"
    path.write_bytes(fit.file(messages))
    return path


EXPORTS: dict[str, tuple[Callable[[Path], Path], list[Row], list[Row]]] = {
    "health_connect": (
        health_connect_export,
        [
            ("com.google.android.apps.fitness (Google Pixel 8)", start, end, 12)
            for start, end in (
                (f"{DAY}07:08:09+01:00", f"{DAY}07:18:09+01:00"),
                (f"{DAY}07:18:09+01:00", f"{DAY}07:28:09+01:00"),
                (f"{DAY}07:28:09+01:00", f"{DAY}07:38:09+01:00"),
            )
        ],
        [
            (
                "com.fitbit.FitbitMobile (Fitbit Charge 6)",
                f"{DAY}07:08:{9 + 5 * i:02}+01:00",
                None,
                value,
            )
            for i, value in enumerate((61, 62, 63))
        ],
    ),
    "google_fit": (
        google_fit_export,
        [
            (
                "com.google.android.gms (Google Pixel 8)",
                f"{DAY}{start}:09Z",
                f"{DAY}{end}:09Z",
                value,
            )
            for start, end, value in (
                ("06:08", "06:09", 12),
                ("06:09", "06:10", 13),
                ("06:10", "06:11", 14),
            )
        ],
        [
            ("com.fossil.wear (Fossil Gen 6)", f"{DAY}06:{8 + i:02}:09Z", None, 61.5 + i)
            for i in range(3)
        ],
    ),
    "fitbit": (
        fitbit_export,
        [("Fitbit", f"{DAY}07:08:0{i}Z", f"{DAY}07:09:0{i}Z", 61 + i) for i in range(3)],
        [("Fitbit", f"{DAY}07:08:0{i}Z", None, 61 + i) for i in range(3)],
    ),
    "samsung_health": (
        samsung_health_export,
        [
            ("samsung SM-S911B", f"{DAY}07:0{i}:00+01:00", f"{DAY}07:0{i + 1}:00+01:00", 12 + i)
            for i in range(3)
        ],
        [
            ("Samsung SM-R870", f"{DAY}07:08:{start}+01:00", f"{DAY}07:08:{end}+01:00", value)
            for start, end, value in (("09", "18", 61), ("19", "28", 62), ("29", "38", 63))
        ],
    ),
    "oura": (
        oura_export,
        [
            ("Oura Ring", f"2024-03-0{day}T04:00:00Z", f"2024-03-0{day + 1}T04:00:00Z", 9000 + day)
            for day in (5, 6, 7)
        ],
        [("Oura Ring", f"{DAY}07:08:0{i}Z", None, 61 + i) for i in range(3)],
    ),
    "garmin_fit": (
        fit_file,
        [
            ("garmin fr945", f"{DAY}{start}+01:00", f"{DAY}{end}+01:00", value)
            for start, end, value in (
                ("00:00:00", "07:08:09", 10),
                ("07:08:09", "07:09:09", 12),
                ("07:09:09", "07:10:09", 12),
            )
        ],
        [
            ("garmin fr945", f"{DAY}07:{minute}:09+01:00", None, value)
            for minute, value in (("08", 61), ("09", 62), ("10", 63))
        ],
    ),
}
"""By name: a function that makes the export in a folder, its steps and its heart rates."""


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_sent_once(
    name: str, uptake: Uptake, live: LiveServer, key: str, tmp_path: Path
) -> None:
    """Every sample is stored; sent again, nothing is."""
    make, steps, beats = EXPORTS[name]
    folder = tmp_path / "export"
    folder.mkdir()
    path, user = make(folder), f"u-{uuid4()}"
    command = ("send", "samples", path, "--user", user, "--to", live.url, "--ledger", "l")
    done = uptake(*command, "--json", UPTAKE_KEY=key)
    assert (done.status, done.err) == (0, "")
    assert done.json["acknowledged"] == len(steps) + len(beats)
    for metric, expected in (("steps", steps), ("bpm", beats)):
        names = ("device_name", "start_date", "end_date", "value")
        stored = [tuple(one[name] for name in names) for one in held(live.url, key, user, metric)]
        assert stored == expected
    done = uptake(*command, UPTAKE_KEY=key)
    assert done.status == 0
    assert f"{len(steps) + len(beats)} acknowledged before\n" in done.out
    assert "acknowledged now" not in done.out

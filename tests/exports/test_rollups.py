"""Exported rollups and the table `daily` agree with the rollups of the API."""

from typing import Any

import pytest

from samples.making import SentSample
from uptake.blobs import Blobs
from uptake.exports import rollups
from uptake.exports.query import rows_of, run_query
from uptake.reading import Page
from uptake.reading.bounds import TooMuch
from uptake.reading.rollup_rows import Bound, RollupQuery, WorkLimits
from uptake.reading.rollups import page
from uptake.reading.series import UserData
from uptake.samples.metrics import METRICS, Metric
from uptake.samples.times import read
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT

from .opening import Rows, rows
from .project import batch, commit, sample


def walk(hour: int, minutes: int, value: float, **members: str) -> SentSample:
    """Steps on a day from an hour on."""
    day = members.pop("day", "2026-01-31")
    start, end = f"{day}T{hour:02}:00:00Z", f"{day}T{hour:02}:{minutes:02}:00Z"
    return sample(start, value, end=end, **members)


def fill(store: Store) -> None:
    """Store steps that a watch and a phone both counted, corrections, and heart rates."""
    for number in range(3):
        user = f"u{number}"
        commit(store, batch(user, [walk(8, 30, 1000), walk(9, 10, 50), walk(23, 59, 7)]))
        phone = [walk(8, 40, 900 + number, device="Phone"), walk(12, 5, 20, device="Phone")]
        commit(store, batch(user, phone))
        across = sample("2026-01-31T23:30:00Z", 600, end="2026-02-01T00:30:00Z", device="Phone")
        commit(store, batch(user, [across, walk(9, 10, 60), walk(3, 1, 5, day="2025-06-01")]))
        rates = [sample(f"2026-01-31T0{n}:00:00+05:30", 60 + n, unit="count/min") for n in range(9)]
        commit(store, batch(user, rates, "bpm"))


def expected(
    store: Store, user_id: str, metric: Metric, zone: str | None = "UTC", **bounds: Any
) -> Rows:
    """The rows that the rollups of the API give."""
    query = RollupQuery(metric, zone=zone, **bounds)
    found = page(UserData(store, DEFAULT_PROJECT, user_id), query, Page())
    return [
        {
            "user_id": user_id,
            "metric": metric,
            "day": bucket.start[:10],
            "count": bucket.count,
            **{name: getattr(bucket, name, None) for name in ("sum", "min", "mean", "max")},
            "zone": zone or "sample",
        }
        for bucket in found.buckets
    ]


@pytest.mark.parametrize("held", [0, 4, rollups.HELD_SAMPLES])
def test_each_day_is_as_in_the_api(
    empty: Store, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """Devices are merged, also if a user's samples do not fit into memory."""
    monkeypatch.setattr(rollups, "HELD_SAMPLES", held)
    fill(empty)
    found = rows(empty, blobs, "rollups")
    metrics = sorted(METRICS)
    assert found == [
        row for n in range(3) for metric in metrics for row in expected(empty, f"u{n}", metric)
    ]
    total = sum(row["sum"] for row in found if row["user_id"] == "u0" and row["metric"] == "steps")
    assert total < sum(row["value"] for row in rows(empty, blobs, "samples", users=lambda: ["u0"]))


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "Pacific/Apia", "UTC", None])
def test_days_of_a_zone_are_as_in_the_api(
    empty: Store, blobs: Blobs, zone: str | None, *, local: bool
) -> None:
    """Those that a range selects too, whether its ends are instants or local times."""
    fill(empty)
    late = [walk(hour, 20, 100 + hour, day="2026-03-29") for hour in (0, 10, 22, 23)]
    commit(empty, batch("u0", late))
    assert rows(empty, blobs, "rollups", zone=zone) == [
        row
        for n in range(3)
        for metric in sorted(METRICS)
        for row in expected(empty, f"u{n}", metric, zone)
    ]
    begin = Bound(read("2026-01-31T00:00:00Z")[0], local)
    end = Bound(read("2026-03-30T00:00:00Z")[0], local)
    found = rows(empty, blobs, "rollups", zone=zone, metrics=("steps",), start=begin, end=end)
    assert found == [
        row
        for n in range(3)
        for row in expected(empty, f"u{n}", "steps", zone, begin=begin, end=end)
    ]


def test_a_zone_moves_samples_to_another_day(empty: Store, blobs: Blobs) -> None:
    """Two minutes before midnight in UTC it is the next day in Berlin."""
    commit(empty, batch("u0", [sample("2026-01-31T23:58:00Z", 7)]))
    days = {
        zone: [(row["day"], row["zone"]) for row in rows(empty, blobs, "rollups", zone=zone)]
        for zone in ("UTC", "Europe/Berlin")
    }
    assert days == {
        "UTC": [("2026-01-31", "UTC")],
        "Europe/Berlin": [("2026-02-01", "Europe/Berlin")],
    }
    with run_query(empty, blobs, DEFAULT_PROJECT, "SELECT day, zone FROM daily", "Asia/Tokyo") as a:
        assert list(rows_of(a)[1]) == [["2026-02-01", "Asia/Tokyo"]]


def test_daily_is_the_same_table(empty: Store, blobs: Blobs) -> None:
    """In SQL, where it can be joined with the others."""
    fill(empty)
    sql = """
        SELECT day, sum(sum) FROM daily JOIN users USING (user_id)
        WHERE metric = 'steps' GROUP BY ALL ORDER BY ALL"""
    sums: dict[str, float] = {}
    for row in rows(empty, blobs, "rollups", metrics=("steps",)):
        sums[row["day"]] = sums.get(row["day"], 0) + row["sum"]
    with run_query(empty, blobs, DEFAULT_PROJECT, sql) as batches:
        shown = {day: float(total) for day, total in rows_of(batches)[1]}
    assert shown == pytest.approx(sums)
    assert len(sums) == 3


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({"start": "2026-01-31T00:00:00Z"}, ["2026-01-31", "2026-02-01"]),
        ({"start": "2026-01-31T00:00:01Z"}, ["2026-02-01"]),
        ({"end": "2026-01-31T00:00:00Z"}, ["2025-06-01"]),
        ({"start": "2026-01-31T00:00:00Z", "end": "2026-02-01T00:00:00Z"}, ["2026-01-31"]),
    ],
)
def test_days_are_selected_by_their_start(
    empty: Store, blobs: Blobs, asked: dict[str, str], days: list[str]
) -> None:
    """A selected day has the figures that it has without a selection."""
    fill(empty)
    bounds: dict[str, Any] = {name: Bound(read(text)[0]) for name, text in asked.items()}
    found = rows(empty, blobs, "rollups", metrics=("steps",), users=lambda: ["u1"], **bounds)
    assert [row["day"] for row in found] == days
    assert found == [row for row in expected(empty, "u1", "steps") if row["day"] in days]


def test_a_day_with_too_many_samples_is_an_error(
    empty: Store, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export does not omit it."""
    fill(empty)
    monkeypatch.setattr(rollups, "LIMITS", WorkLimits(pieces=1, memory=1))
    with pytest.raises(TooMuch):
        rows(empty, blobs, "rollups")

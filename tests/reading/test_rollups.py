"""Rollups are what samples come to, however those arrived and however the answer is asked for."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import data_of, filled
from reading.plain_rollups import Clock, Rollup
from samples.making import SentSample, local_time
from uptake.reading import Page, rollups
from uptake.reading.rollup_rows import Bound, RollupQuery, WorkLimits, rollup_rows
from uptake.samples import times
from uptake.samples.metrics import Metric
from uptake.samples.rollup.calendar import Every
from uptake.testing.store.model import ModelStore

Rows = list[dict[str, Any]]

EVERY = ("minute", "hour", "day", "week", "month")
ZONES = (
    None,
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
)
MOMENTS = (
    datetime(2026, 3, 29, 0, 30),  # noqa: DTZ001 - clocks change in Berlin
    datetime(2026, 10, 25, 0, 30),  # noqa: DTZ001
    datetime(2026, 11, 1, 5, 30),  # noqa: DTZ001 - and in New York
    datetime(2018, 11, 4, 2, 30),  # noqa: DTZ001 - at midnight in Sao Paulo
    datetime(2026, 4, 4, 14, 30),  # noqa: DTZ001 - by half an hour on Lord Howe
    datetime(2011, 12, 30, 9, 30),  # noqa: DTZ001 - by a day in Samoa
    datetime(2025, 12, 31, 23, 30),  # noqa: DTZ001
)
LENGTHS = {"minute": 12, "hour": 300, "day": 3 * 1440, "week": 9 * 1440, "month": 40 * 1440}
"""Minutes up to which a sample lasts, so that it reaches into some buckets."""

DEVICES = ("Ring", "Watch", "iPhone")


@st.composite
def some_samples(draw: st.DrawFn, every: Every) -> list[SentSample]:
    """Samples near one another, of all kinds, some of which overlap."""
    begin = draw(st.sampled_from(MOMENTS))
    within = LENGTHS[every]
    minutes = st.integers(0, within).map(lambda minutes: timedelta(minutes=minutes))
    seconds = st.sampled_from([0, 0, 20]).map(lambda seconds: timedelta(seconds=seconds))
    found = []
    for _ in range(draw(st.integers(1, 9))):
        start = begin + draw(minutes) + draw(seconds)
        end = None if draw(st.integers(0, 3)) == 0 else start + draw(minutes) + draw(seconds)
        offset = draw(st.sampled_from([0, 0, 60, 120, -300, 345]))
        found.append(
            SentSample(
                draw(st.sampled_from(DEVICES)),
                None,
                _at(start, offset),
                None if end is None else _at(end, offset),
                draw(st.sampled_from(["count", "count", "count", "count/min", "count/s"])),
                draw(st.sampled_from([1, 5, 7.5, 120, 3000])),
            )
        )
    return found


def _at(moment: datetime, minutes: int) -> str:
    return local_time(moment + timedelta(minutes=minutes), "", minutes)


everies = st.sampled_from(EVERY)
zones = st.sampled_from(ZONES)
ways = st.tuples(st.booleans(), st.sampled_from(["steps", "bpm"]))
priorities = st.lists(st.sampled_from(DEVICES), max_size=2, unique=True)


def split(received: list[SentSample], cuts: list[int]) -> list[list[SentSample]]:
    """The same samples in batches."""
    edges = [0, *sorted(cut % len(received) for cut in cuts), len(received)]
    return [received[a:b] for a, b in pairwise(edges) if received[a:b]]


def ask(store: ModelStore, query: RollupQuery, limit: int = 10_000) -> Rows:
    """All buckets, page by page."""
    found: Rows = []
    cursor = None
    while True:
        page = rollups.page(data_of(store), query, Page(cursor, limit))
        found += msgspec.to_builtins(page.buckets)
        assert len(page.buckets) <= limit
        if page.next is None:
            return found
        assert len(page.buckets) == limit
        cursor = page.next


def same(found: Any, expected: Any) -> None:
    """Equal but for what rounding changes."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-9)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            same(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        assert found == expected


def times_of(rows: Rows) -> list[tuple[str, str, str]]:
    """The key of a row."""
    return [(row["start"], row["end"], row.get("device_name", "")) for row in rows]


@given(st.data(), everies, zones, priorities, ways)
def test_rollups_equal_the_plain_implementation(
    data: st.DataObject,
    every: Every,
    zone: str | None,
    priority: list[str],
    asked: tuple[bool, Metric],
) -> None:
    """Any samples, zones, bucket lengths, batches and page sizes."""
    each, metric = asked
    received = data.draw(some_samples(every))
    batches = split(received, data.draw(st.lists(st.integers(0, 100), max_size=3)))
    query = RollupQuery(
        metric,
        every,
        zone,
        each=each,
        priority={name: place for place, name in enumerate(priority)},
        explain=True,
    )
    found = ask(filled(batches, metric), query, data.draw(st.sampled_from([1, 2, 3, 10_000])))
    expected = Rollup(received, Clock(every, zone), priority, each=each)
    rows = expected.rows(metric, explain=True)
    assert times_of(found) == times_of(rows)
    same(found, rows)


@given(st.data(), everies, zones, st.booleans())
def test_the_amount_of_work_at_a_time_does_not_matter(
    data: st.DataObject, every: Every, zone: str | None, each: bool
) -> None:
    """Small ranges give the same result as one."""
    received = data.draw(some_samples(every))
    store = filled(split(received, data.draw(st.lists(st.integers(0, 100), max_size=5))))
    query = RollupQuery("steps", every, zone, each=each, explain=True)
    small = WorkLimits(*(data.draw(st.integers(8, 60)) for _ in range(3)))
    found = data_of(store).series("steps")
    assert found is not None
    parts = rollup_rows(found, query, None, data.draw(st.integers(1, 50)), small)
    in_parts = [bucket for part in parts for bucket in rollups.buckets_of("steps", part)]
    assert msgspec.to_builtins(in_parts) == ask(store, query)


@given(st.data(), everies, zones, priorities)
def test_the_order_of_uploads_does_not_matter(
    data: st.DataObject, every: Every, zone: str | None, priority: list[str]
) -> None:
    """Nor do repeated uploads: results are equal to the last digit."""
    received = data.draw(some_samples(every))
    stored = {one.identity: one for one in received}
    again = data.draw(st.permutations([*stored.values(), *stored.values()]))
    places = {name: place for place, name in enumerate(priority)}
    query = RollupQuery("steps", every, zone, priority=places, explain=True)
    cuts = data.draw(st.lists(st.integers(0, 100), max_size=5))
    assert ask(filled(split(again, cuts)), query) == ask(filled([received]), query)


@given(st.data(), everies, zones)
def test_one_device_merged_is_its_sum(data: st.DataObject, every: Every, zone: str | None) -> None:
    """Overlaps within a device add up, and nothing is left out."""
    received = [one._replace(device="Watch") for one in data.draw(some_samples(every))]
    store = filled([received])
    merged = ask(store, RollupQuery("steps", every, zone, explain=True))
    for way in (RollupQuery("steps", every, zone, each=True), alone("Watch", every, zone)):
        plain = ask(store, way)
        assert [name_of(row) for row in plain] == ["Watch"] * len(plain)
        assert [without(row, "device_name") for row in plain] == [
            without(row, "devices") for row in merged
        ]
    assert [share["left_out"] for row in merged for share in row["devices"]] == [0] * len(merged)


@given(st.data(), everies, zones)
def test_other_devices_do_not_affect_the_rollup_of_one_device(
    data: st.DataObject, every: Every, zone: str | None
) -> None:
    """Requested by its name, or with `each`."""
    received = data.draw(some_samples(every))
    store = filled([received])
    each = ask(store, RollupQuery("steps", every, zone, each=True))
    for device in DEVICES:
        named = ask(store, alone(device, every, zone))
        assert named == [row for row in each if row["device_name"] == device]


@given(st.data(), everies, zones, priorities)
def test_merging_neither_repeats_nor_loses_samples(
    data: st.DataObject, every: Every, zone: str | None, priority: list[str]
) -> None:
    """A bucket is the sum of its shares; shares and what is left out are all samples."""
    received = data.draw(some_samples(every))
    store = filled([received])
    places = {name: place for place, name in enumerate(priority)}
    merged = ask(store, RollupQuery("steps", every, zone, priority=places, explain=True))
    each = ask(store, RollupQuery("steps", every, zone, each=True))
    for row in merged:
        shares = row["devices"]
        given = [share["sum"] for share in shares]
        plain = [share["sum"] + share["left_out"] for share in shares]
        same(row["sum"], float(sum(given)))
        assert max(given) - 1e-5 <= row["sum"] <= sum(plain) + 1e-5
        assert row["count"] == sum(share["count"] for share in shares)
        if zone is not None:
            mine = {name_of(one): one for one in each if one["start"] == row["start"]}
            assert {share["device_name"] for share in shares} == set(mine)
            for share in shares:
                alone_rows = mine[share["device_name"]]
                same(share["sum"] + share["left_out"], alone_rows["sum"])
                assert share["count"] == alone_rows["count"]
    total = sum(row["sum"] for row in each)
    assert sum(row["sum"] for row in merged) <= total * (1 + 1e-9) + 1e-5


@given(st.data(), zones, priorities, st.booleans())
def test_hours_add_up_to_their_day(
    data: st.DataObject, zone: str | None, priority: list[str], each: bool
) -> None:
    """Sums and counts, by the date of the hour."""
    received = data.draw(some_samples("hour"))
    store = filled([received])
    places = {name: place for place, name in enumerate(priority)}
    days, hours = (
        ask(store, RollupQuery("steps", every, zone, each=each, priority=places))
        for every in ("day", "hour")
    )
    for row in days:
        parts = [
            hour
            for hour in hours
            if hour["start"][:10] == row["start"][:10] and name_of(hour) == name_of(row)
        ]
        same(row["sum"], float(sum(part["sum"] for part in parts)))
        assert row["count"] == sum(part["count"] for part in parts)
    assert sum(row["count"] for row in days) == sum(hour["count"] for hour in hours)


@given(st.data(), everies, zones)
def test_from_and_to_select_whole_buckets(
    data: st.DataObject, every: Every, zone: str | None
) -> None:
    """Those that start in [from, to), with the same content as without."""
    received = data.draw(some_samples(every))
    store = filled([received])
    whole = ask(store, RollupQuery("steps", every, zone, explain=True))
    edges = [
        times.read(row[name])[0] + beside * 10_000_000
        for row in whole
        for name in ("start", "end")
        for beside in (-1, 0, 1)
    ]
    begin, end = (data.draw(st.sampled_from(edges)) for _ in "ab")
    bounds: dict[str, Any] = {"begin": Bound(begin, local=False), "end": Bound(end, local=False)}
    found = ask(store, RollupQuery("steps", every, zone, explain=True, **bounds))
    assert found == [row for row in whole if begin <= times.read(row["start"])[0] < end]


@given(st.data(), everies, zones)
def test_bounds_without_an_offset_are_local_times(
    data: st.DataObject, every: Every, zone: str | None
) -> None:
    """In the time zone, or in the local time of each sample."""
    received = data.draw(some_samples(every))
    store = filled([received])
    whole = ask(store, RollupQuery("steps", every, zone))
    readings = [times.read(row["start"][:19])[0] for row in whole]
    begin, end = (data.draw(st.sampled_from(readings)) for _ in "ab")
    bounds: dict[str, Any] = {"begin": Bound(begin, local=True), "end": Bound(end, local=True)}
    found = ask(store, RollupQuery("steps", every, zone, **bounds))
    expected = [row for row, reading in zip(whole, readings, strict=True) if begin <= reading < end]
    if every in {"minute", "hour"} and zone is not None:
        # An hour that clocks show twice is the first of the two for a bound.
        assert all(row in found for row in expected if readings.count(begin) == 1) or begin >= end
    else:
        assert found == expected


def alone(device: str, every: Every, zone: str | None) -> RollupQuery:
    """The query for one device."""
    return RollupQuery("steps", every, zone, device=device, each=True)


def name_of(row: dict[str, Any]) -> str | None:
    """The device of a row."""
    return row.get("device_name")


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    """The same without a member."""
    return {key: value for key, value in row.items() if key != name}

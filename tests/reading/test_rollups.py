"""Rollups are what the samples come to, however those arrived and however the answer is asked for."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import filled
from reading.plain_rollups import Clock, Rollup
from samples.making import Told, told
from uptake.reading import rollups
from uptake.reading.tables import Bound, Question
from uptake.samples import times
from uptake.store.memory import MemoryStore

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
def some_samples(draw: st.DrawFn, every: str) -> list[Told]:
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
            Told(
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
    return told(moment + timedelta(minutes=minutes), "", minutes)


everies = st.sampled_from(EVERY)
zones = st.sampled_from(ZONES)
priorities = st.lists(st.sampled_from(DEVICES), max_size=2, unique=True)


def split(received: list[Told], cuts: list[int]) -> list[list[Told]]:
    """The same samples in batches."""
    edges = [0, *sorted(cut % len(received) for cut in cuts), len(received)]
    return [
        received[a:b] for a, b in zip(edges, edges[1:], strict=False) if received[a:b]
    ]


def ask(store: MemoryStore, question: Question, limit: int = 10_000) -> Rows:
    """All buckets, page by page."""
    found: Rows = []
    cursor = None
    while True:
        page = rollups.page(store, "default", "anna", question, cursor=cursor, limit=limit)
        found += msgspec.to_builtins(page.buckets)
        assert len(page.buckets) <= limit
        if page.next is None:
            return found
        assert len(page.buckets) == limit
        cursor = page.next


def same(found: Any, expected: Any) -> None:
    """Equal but for what rounding changes."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)
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
    """What tells rows apart."""
    return [(row["start"], row["end"], row.get("device_name", "")) for row in rows]


@given(st.data(), everies, zones, priorities, st.booleans(), st.sampled_from(["steps", "bpm"]))
def test_rollups_are_those_worked_out_the_long_way(
    data: st.DataObject,
    every: str,
    zone: str | None,
    priority: list[str],
    each: bool,
    metric: str,
) -> None:
    """Any samples, any clock, any length of buckets, any split of the upload, any page size."""
    received = data.draw(some_samples(every))
    batches = split(received, data.draw(st.lists(st.integers(0, 100), max_size=3)))
    question = Question(
        metric,
        every,
        zone,
        each=each,
        priority={name: place for place, name in enumerate(priority)},
        explain=True,
    )
    found = ask(filled(batches, metric), question, data.draw(st.sampled_from([1, 2, 3, 10_000])))
    expected = Rollup(received, Clock(every, zone), priority, each=each)
    rows = expected.rows(metric, explain=True)
    assert times_of(found) == times_of(rows)
    same(found, rows)

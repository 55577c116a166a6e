"""Rollups of samples that all overlap: in bounded memory, and the same as one by one."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading.filled import data_of, filled
from reading.plain_rollups import Clock, Rollup
from reading.test_rollups import ask, everies, priorities, same, some_samples, zones
from samples.making import SentSample
from uptake.reading import Page, rollups
from uptake.reading.bounds import TooMuch
from uptake.reading.rollup_rows import RollupQuery
from uptake.samples.metrics import Metric
from uptake.samples.rollup.calendar import Every
from uptake.testing.store.model import ModelStore

SAMPLES, DEVICES = 12_000, 50
MEGABYTE = 1 << 20
YEAR = 365 * 86_400


def _at(seconds: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture(scope="module", params=["steps", "bpm"])
def overlapping(request: pytest.FixtureRequest) -> tuple[Metric, ModelStore]:
    """Samples of up to a year each, of fifty devices, sent a few at a time."""
    step = YEAR // SAMPLES
    samples = [
        SentSample(
            f"Device {i % DEVICES:02}",
            None,
            _at(i * step),
            _at(i * step + i * 7919 % YEAR),
            "count",
            1 + i % 100,
        )
        for i in range(SAMPLES)
    ]
    return request.param, filled([samples[i : i + 6] for i in range(0, SAMPLES, 6)], request.param)


def _page(store: ModelStore, query: RollupQuery, limit: int = 10_000) -> Any:
    return rollups.page(data_of(store), query, Page(None, limit))


@pytest.mark.parametrize("every", ["minute", "hour", "day"])
@pytest.mark.parametrize("each", [False, True])
def test_long_overlapping_samples_take_little_memory(
    overlapping: tuple[Metric, ModelStore], every: Any, *, each: bool
) -> None:
    """They are not cut into a piece for each bucket that they overlap."""
    metric, store = overlapping
    tracemalloc.start()
    found = _page(store, RollupQuery(metric, every, each=each))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.buckets) > 700
    assert peak < 400 * MEGABYTE


def test_an_answer_over_the_size_limit_is_rejected(
    overlapping: tuple[Metric, ModelStore],
) -> None:
    """The message names the parameter to change, which works."""
    metric, store = overlapping
    query = RollupQuery(metric, "hour", explain=True)
    with pytest.raises(TooMuch, match="`limit`"):
        _page(store, query)
    found = _page(store, query, 100)
    assert len(found.buckets) == 100
    assert found.next is not None


def test_long_device_names_count_towards_the_size_limit() -> None:
    """The name of a device is in every bucket."""
    name = "\x01" * 100_000
    store = filled([[SentSample(name, None, _at(0), _at(YEAR), "count", 1)]])
    with pytest.raises(TooMuch, match="`limit`"):
        _page(store, RollupQuery("steps", "hour", each=True))
    found = _page(store, RollupQuery("steps", "hour", each=True), 20)
    assert len(msgspec.json.encode(found)) > 20 * 6 * 100_000


def test_too_many_devices_in_too_many_buckets_are_rejected_at_once() -> None:
    """Before they are computed; fewer buckets are answered."""
    count = 4000
    store = filled(
        [[SentSample(f"Device {i}", None, _at(i), _at(i + YEAR), "count", 1) for i in range(count)]]
    )
    with pytest.raises(TooMuch, match="pieces of samples"):
        _page(store, RollupQuery("steps", "hour"))
    assert len(_page(store, RollupQuery("steps", "hour"), 10).buckets) == 10


@settings(max_examples=40)
@given(
    st.data(),
    everies,
    zones,
    priorities,
    st.tuples(st.booleans(), st.sampled_from(["steps", "bpm"]), st.booleans()),
)
def test_long_and_short_samples_are_distributed_alike(
    data: st.DataObject,
    every: Every,
    zone: str | None,
    priority: list[str],
    asked: tuple[bool, Metric, bool],
) -> None:
    """Any number of them: equal to the plain implementation, page by page."""
    each, metric, explain = asked
    short = data.draw(some_samples(every))
    stretched = {"minute": 1, "hour": 24, "day": 240, "week": 7, "month": 3}[every]
    long = [
        one._replace(end=_later(one.end, days=data.draw(st.integers(0, stretched)) / 24))
        for one in short
        if one.end is not None
    ]
    received = [*short, *long]
    query = RollupQuery(
        metric,
        every,
        zone,
        each=each,
        priority={name: place for place, name in enumerate(priority)},
        explain=explain,
    )
    found = ask(filled([received], metric), query, data.draw(st.sampled_from([7, 10_000])))
    expected = Rollup(received, Clock(every, zone), priority, each=each)
    same(found, expected.rows(metric, explain=explain))
    assert found == ask(filled([received], metric), query, 3)


def _later(text: str, days: float) -> str:
    return (datetime.fromisoformat(text) + timedelta(minutes=round(days * 1440))).isoformat()

"""Samples are exported each once, the last received, in order, however they arrived."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.making import SentSample, far_samples, latest_by_identity, samples
from uptake.blobs import Blobs
from uptake.exports import ExportQuery
from uptake.exports.forms import FORMS, FormName
from uptake.exports.tables import table_of
from uptake.reading.rollup_rows import Bound
from uptake.samples import times
from uptake.samples.metrics import METRICS, Metric
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.testing.store.model import ModelStore

from .opening import Rows, by_arrow, by_csv, export, parsed, rows
from .project import batch, commit, sample

USERS = ("Anna", "anna", "\u00e5sa")
received = st.lists(
    st.tuples(
        st.sampled_from(USERS),
        st.sampled_from(list(METRICS)),
        st.lists(samples() | far_samples(), min_size=1, max_size=8),
    ),
    max_size=8,
)
WIRE = ("device_name", "device_version", "start_date", "end_date", "value", "unit")


def read(content: bytes, form: FormName) -> Rows:
    """An export's rows with the values as numbers."""
    if form in {"parquet", "arrow"}:
        return by_arrow(content, form)
    found = by_csv(content) if form == "csv" else parsed(content)
    return [row | {"value": float(row["value"])} for row in found]


def expected(uploads: list[tuple[str, Metric, list[SentSample]]]) -> Rows:
    """The law in its plainest form."""
    rows_of: dict[tuple[str, str], list[SentSample]] = {}
    for user_id, metric, some in uploads:
        rows_of.setdefault((user_id, metric), []).extend(some)
    return [
        {"user_id": user_id, "metric": metric, **row, "value": float(str(row["value"]))}
        for (user_id, metric), some in sorted(rows_of.items())
        for row in latest_by_identity(some)
    ]


def on_the_wire(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row can be sent."""
    return {name: row[name] for name in ("user_id", "metric", *WIRE)}


@given(received, st.sampled_from(sorted(FORMS)))
def test_each_sample_is_exported_once_as_last_received(
    some_blobs: Blobs, uploads: list[tuple[str, Metric, list[SentSample]]], form: FormName
) -> None:
    """In order of user, metric and start, whatever the batches; instants equal the texts."""
    store: Any = ModelStore()
    for user_id, metric, some in uploads:
        commit(store, batch(user_id, some, metric))
    found = read(export(store, some_blobs, "samples", form)[0], form)
    assert [on_the_wire(row) for row in found] == expected(uploads)
    for row in found:
        for text, utc in ((row["start_date"], row["start_utc"]), (row["end_date"], row["end_utc"])):
            assert (utc is None) == (text is None)
            if text is not None:
                assert times.read(utc)[0] == times.read(text)[0] // 10 * 10


@given(received, st.data())
def test_merged_increments_equal_a_complete_export(
    some_blobs: Blobs, uploads: list[tuple[str, Metric, list[SentSample]]], data: st.DataObject
) -> None:
    """If a sample is in several increments, the later one wins."""
    store: Any = ModelStore()
    cuts = data.draw(st.sets(st.integers(0, len(uploads))))
    stored: dict[tuple[object, ...], dict[str, Any]] = {}
    cursor = None
    for first, last in pairwise(sorted({0, *cuts, len(uploads)})):
        for user_id, metric, some in uploads[first:last]:
            commit(store, batch(user_id, some, metric))
        content, cursor = export(store, some_blobs, "samples", since=cursor)
        stored |= {_identity(row): on_the_wire(row) for row in parsed(content)}
    whole = rows(store, some_blobs, "samples")
    assert stored == {_identity(row): on_the_wire(row) for row in whole}


def _identity(row: dict[str, Any]) -> tuple[object, ...]:
    end = row["end_date"] and times.read(row["end_date"])[0]
    start = times.read(row["start_date"])[0]
    return row["user_id"], row["metric"], row["device_name"], start, end, row["unit"]


def test_a_time_range_selects_samples_by_their_start(empty: Store, blobs: Blobs) -> None:
    """The start of the range is inclusive and the end exclusive, whatever the batches."""
    stamps = [f"2025-01-01T0{hour}:00:00Z" for hour in range(6)]
    commit(empty, batch("anna", [sample(stamp) for stamp in stamps[::2]]))
    commit(empty, batch("anna", [sample(stamp) for stamp in stamps[1::2]]))
    start, end = (Bound(times.read(stamps[at])[0]) for at in (1, 4))
    assert starts(empty, blobs, start=start, end=end) == stamps[1:4]
    assert starts(empty, blobs, start=start) == stamps[1:]
    assert starts(empty, blobs, end=end) == stamps[:4]
    assert starts(empty, blobs, start=end, end=start) == []


def starts(store: Store, blobs: Blobs, **asked: Any) -> list[str]:
    """When the samples of an export start."""
    return [row["start_date"] for row in rows(store, blobs, "samples", **asked)]


def test_users_and_metrics_are_selected(store: Store, blobs: Blobs) -> None:
    """In order; unknown users are ignored."""
    found = rows(store, blobs, "samples", metrics=("bpm",))
    assert [(row["user_id"], row["metric"]) for row in found] == [("anna", "bpm")]
    found = rows(store, blobs, "samples", users=lambda: iter(["bert", "carl", "nobody"]))
    assert [row["user_id"] for row in found] == ["bert"]
    assert rows(store, blobs, "samples", users=list) == []


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_size_of_batches_does_not_matter(empty: Store, blobs: Blobs, size: int) -> None:
    """For batches with different devices, versions and units."""
    for user in range(5):
        for day in range(1, 4):
            some = [
                sample(f"2025-01-0{day}T0{hour}:00:00Z", hour + 1, device=f"d{(user + hour) % 3}")
                for hour in range(6)
            ]
            commit(empty, batch(f"u{user}", some))
    with empty.snapshot(DEFAULT_PROJECT) as snapshot:
        table = table_of(snapshot, blobs, ExportQuery("samples", DEFAULT_PROJECT), size)
        batches = list(table.batches)
    assert len(batches) == {1: 15, 7: 8, 100_000: 1}[size]
    found = [
        (row["user_id"], row["device_name"], row["value"]) for b in batches for row in b.to_pylist()
    ]
    assert found == [
        (f"u{user}", f"d{(user + hour) % 3}", hour + 1.0)
        for user in range(5)
        for _ in range(3)
        for hour in range(6)
    ]

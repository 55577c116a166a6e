"""Samples of a source as words and as JSON, against one sample at a time."""

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from uptake.samples import columns, times
from uptake.samples.digests import identities
from uptake.uploader.samples.rows import read, render
from uptake.uploader.sources import SAMPLES

MEMBERS = {name: name for name in SAMPLES.names}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.sampled_from(
    [
        "2026-01-31T08:00:00Z",
        "2026-01-31T08:00:00+01:00",
        "2026-01-31T08:00:00.125-05:30",
        "2026-01-31",
        "20260131T0800",
    ]
)
samples = st.fixed_dictionaries(
    {
        "user_id": st.none() | texts,
        "metric": st.sampled_from(["steps", "bpm"]),
        "device_name": texts,
        "device_version": st.none() | texts,
        "start_date": moments | texts,
        "end_date": st.none() | moments | texts,
        "value": st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9).map(float),
        "unit": st.sampled_from(["count", "count/min"]) | texts,
        "line": st.integers(1, 99),
    }
)


def batch_of(told: list[dict[str, Any]]) -> Any:
    """A record batch, as a source gives it."""
    return pa.RecordBatch.from_pylist(told, SAMPLES)


def shown(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample as it goes over the wire: members that are null are left out."""
    apart = ("user_id", "metric", "line")
    return {k: v for k, v in sample.items() if k not in apart and v is not None}


@given(st.lists(samples, min_size=1, max_size=30), st.data())
def test_json_is_that_of_each_sample(told: list[dict[str, Any]], data: st.DataObject) -> None:
    """In any order and choice, with names and times of any content, and exact values."""
    which = np.array(data.draw(st.lists(st.integers(0, len(told) - 1))), np.int64)
    text, offsets = render(read(batch_of(told)), which, MEMBERS)
    assert len(offsets) == len(which) + 1
    parts = [text[a:b] for a, b in pairwise(offsets)]
    assert all(part.endswith(b"},") for part in parts)
    assert [msgspec.json.decode(part[:-1]) for part in parts] == [shown(told[i]) for i in which]


@given(st.lists(samples, min_size=1, max_size=20))
def test_dictionary_columns_are_as_plain_ones(told: list[dict[str, Any]]) -> None:
    """What a source hands out encoded comes to the same."""
    plain = batch_of(told)
    coded = pa.RecordBatch.from_arrays(
        [
            column.dictionary_encode() if pa.types.is_string(column.type) else column
            for column in plain.columns
        ],
        names=plain.schema.names,
    )
    one, other = read(plain), read(coded)
    assert (one.identity == other.identity).all()
    assert (one.content == other.content).all()
    which = np.arange(len(told))
    assert render(one, which, MEMBERS)[0] == render(other, which, MEMBERS)[0]


@given(st.lists(samples, min_size=2, max_size=12))
def test_samples_are_the_same_when_the_contract_says_so(told: list[dict[str, Any]]) -> None:
    """Device name, start and end as instants, unit; version and value make the content."""
    rows = read(batch_of(told))

    def moment(text: str | None) -> object:
        try:
            return None if text is None else times.read(text)[0]
        except ValueError:
            return text

    same = [
        (s["device_name"], moment(s["start_date"]), moment(s["end_date"]), s["unit"]) for s in told
    ]
    content = [
        (*one, s["device_version"], np.float64(s["value"]).tobytes())
        for one, s in zip(same, told, strict=True)
    ]
    keys = list(map(tuple, rows.identity.T.tolist()))
    for i in range(len(told)):
        for k in range(i):
            assert (keys[i] == keys[k]) is (same[i] == same[k])
            assert (rows.content[i] == rows.content[k]) == (content[i] == content[k])


def test_identities_are_those_that_the_server_works_out() -> None:
    """So that digests of days can be compared."""
    told: list[dict[str, Any]] = [
        {**shown_, "user_id": "u", "metric": "steps", "line": 1}
        for shown_ in (
            {
                "device_name": "Watch",
                "device_version": None,
                "start_date": "2026-01-31T08:00:00+01:00",
                "end_date": None,
                "value": 5.0,
                "unit": "count",
            },
            {
                "device_name": "iPhone",
                "device_version": "17",
                "start_date": "2026-01-31T08:00:00Z",
                "end_date": "2026-01-31T08:01:00Z",
                "value": 0.5,
                "unit": "count/min",
            },
        )
    ]
    stored = columns.read(msgspec.convert(told, list[columns.Sample]))
    assert read(batch_of(told)).identity.tolist() == identities(stored).tolist()


def test_times_that_are_none_are_marked_and_no_others() -> None:
    """Among many that are."""
    good = "2026-01-31T08:00:00Z"
    sample = {
        "user_id": "u",
        "metric": "steps",
        "device_name": "d",
        "device_version": None,
        "start_date": good,
        "end_date": None,
        "value": 1.0,
        "unit": "count",
        "line": 1,
    }
    told = [sample] * 5000
    told[4321] = {**sample, "start_date": 'no "time"'}
    told[7] = {**sample, "end_date": "2026-02-30T08:00:00Z"}
    rows = read(batch_of(told))
    assert np.flatnonzero(rows.odd).tolist() == [7, 4321]
    text, _ = render(rows, np.array([4321]), MEMBERS)
    assert msgspec.json.decode(text[:-1])["start_date"] == 'no "time"'

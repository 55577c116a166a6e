"""Samples of a source as words and as JSON, compared with a conversion of one sample at a time."""

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


def batch_of(sample_dicts: list[dict[str, Any]]) -> Any:
    """A record batch, as a source yields it."""
    return pa.RecordBatch.from_pylist(sample_dicts, SAMPLES)


def shown(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample as it is sent: without members that are null."""
    omitted = ("user_id", "metric", "line")
    return {k: v for k, v in sample.items() if k not in omitted and v is not None}


@given(st.lists(samples, min_size=1, max_size=30), st.data())
def test_json_is_that_of_each_sample(
    sample_dicts: list[dict[str, Any]], data: st.DataObject
) -> None:
    """For any selection and order, any names and times; values are exact."""
    which = np.array(data.draw(st.lists(st.integers(0, len(sample_dicts) - 1))), np.int64)
    text, offsets = render(read(batch_of(sample_dicts)), which, MEMBERS)
    assert len(offsets) == len(which) + 1
    parts = [text[a:b] for a, b in pairwise(offsets)]
    assert all(part.endswith(b"},") for part in parts)
    assert [msgspec.json.decode(part[:-1]) for part in parts] == [
        shown(sample_dicts[i]) for i in which
    ]


@given(st.lists(samples, min_size=1, max_size=20))
def test_dictionary_columns_are_as_plain_ones(sample_dicts: list[dict[str, Any]]) -> None:
    """A dictionary-encoded column has the same result."""
    plain = batch_of(sample_dicts)
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
    which = np.arange(len(sample_dicts))
    assert render(one, which, MEMBERS)[0] == render(other, which, MEMBERS)[0]


@given(st.lists(samples, min_size=2, max_size=12))
def test_the_identity_of_samples_is_that_of_the_contract(
    sample_dicts: list[dict[str, Any]],
) -> None:
    """Identity: device name, start and end as instants, unit. Content: version and value."""
    rows = read(batch_of(sample_dicts))

    def moment(text: str | None) -> object:
        try:
            return None if text is None else times.read(text)[0]
        except ValueError:
            return text

    same = [
        (s["device_name"], moment(s["start_date"]), moment(s["end_date"]), s["unit"])
        for s in sample_dicts
    ]
    content = [
        (*one, s["device_version"], np.float64(s["value"]).tobytes())
        for one, s in zip(same, sample_dicts, strict=True)
    ]
    keys = list(map(tuple, rows.identity.T.tolist()))
    for i in range(len(sample_dicts)):
        for k in range(i):
            assert (keys[i] == keys[k]) is (same[i] == same[k])
            assert (rows.content[i] == rows.content[k]) == (content[i] == content[k])


def test_identities_are_those_of_the_server() -> None:
    """Digests of days can be compared only then."""
    sample_dicts: list[dict[str, Any]] = [
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
    stored = columns.read(msgspec.convert(sample_dicts, list[columns.Sample]))
    assert read(batch_of(sample_dicts)).identity.tolist() == identities(stored).tolist()


def test_only_invalid_times_are_marked() -> None:
    """Two invalid ones among 5000."""
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
    sample_dicts = [sample] * 5000
    sample_dicts[4321] = {**sample, "start_date": 'no "time"'}
    sample_dicts[7] = {**sample, "end_date": "2026-02-30T08:00:00Z"}
    rows = read(batch_of(sample_dicts))
    assert np.flatnonzero(rows.odd).tolist() == [7, 4321]
    text, _ = render(rows, np.array([4321]), MEMBERS)
    assert msgspec.json.decode(text[:-1])["start_date"] == 'no "time"'

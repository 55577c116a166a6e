"""Columns represent samples as they were sent, as arrays and as bytes."""

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.making import (
    SentSample,
    columns_of,
    far_samples,
    latest_by_identity,
    local_time,
    samples,
)
from uptake.samples import columns

BYTES_A_SAMPLE = 8.0
"""What a realistic sample may take; the design measured 6 to 13."""

NOON = "2024-02-29T12:00:00+01:00"


def sample(value: float = 1, start: str = NOON, end: str | None = None, **other: str) -> SentSample:
    """A sample in which only these parts matter."""
    device, version = other.get("device", "Watch"), other.get("version")
    return SentSample(device, version, start, end, other.get("unit", "count"), value)


@given(st.lists(samples() | far_samples(), min_size=1, max_size=40))
def test_samples_are_returned_as_they_were_sent(received: list[SentSample]) -> None:
    """Sorted, without repeats, and the same after encoding."""
    built = columns_of(received)
    expected = latest_by_identity(received)
    assert columns.rows(built) == expected
    assert columns.rows(columns.from_bytes(columns.to_bytes(built))) == expected


@pytest.mark.parametrize(
    "value",
    [5e-324, 1e-300, 0.001, 0.0001, 0.1, 1 / 3, 72.5, 299.999, 1, 30000, 2**53 + 1, 1e22, 1e308],
)
@pytest.mark.parametrize("count", [1, 3])
def test_every_value_is_exact(value: float, count: int) -> None:
    """From the smallest to the largest double, alone and beside an integer."""
    starts = [f"2024-02-29T12:0{minute}:00Z" for minute in range(count)]
    built = columns_of([sample(value if i == 0 else 7, start) for i, start in enumerate(starts)])
    shown = columns.rows(columns.from_bytes(columns.to_bytes(built)))
    assert [row["value"] for row in shown] == [float(value), 7, 7][:count]


def test_an_integer_is_returned_without_a_point() -> None:
    """As in the vendor's examples."""
    shown = columns.rows(columns_of([sample(72.0), sample(72.5, unit="count/min")]))
    assert [repr(row["value"]) for row in shown] == ["72", "72.5"]


def test_of_repeated_samples_the_last_is_retained() -> None:
    """Equal instants with other offsets are repeats; another device or unit is not."""
    built = columns_of(
        [
            sample(1, "2024-02-29T12:00:00+01:00", "2024-02-29T12:01:00+01:00", version="1"),
            sample(2, "2024-02-29T11:00:00Z", "2024-02-29T12:01:00+01:00", version="2"),
            sample(3, "2024-02-29T11:00:00Z"),
            sample(4, "2024-02-29T11:00:00Z", device="watch"),
            sample(5, "2024-02-29T11:00:00Z", unit="count/s"),
            sample(6, "2024-02-29T11:00:00.000Z", version="3"),
        ]
    )
    shown = [
        (row["value"], row["start_date"], row["device_version"]) for row in columns.rows(built)
    ]
    assert shown == [
        (6, "2024-02-29T11:00:00.000Z", "3"),
        (5, "2024-02-29T11:00:00Z", None),
        (4, "2024-02-29T11:00:00Z", None),
        (2, "2024-02-29T11:00:00Z", "2"),
    ]


@given(st.lists(samples(), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_equal_samples_have_equal_bytes(received: list[SentSample], random: Random) -> None:
    """In any order of receipt, and with any replaced samples."""
    retained = list({one.identity: one for one in received}.values())
    shuffled = random.sample(retained, len(retained))
    encoded = columns.to_bytes(columns_of(received))
    assert columns.to_bytes(columns_of(shuffled)) == encoded
    assert columns.digest(columns.to_bytes(columns_of(retained))) == columns.digest(encoded)


def test_a_replaced_sample_leaves_no_trace() -> None:
    """A version that only a replaced sample had is not in the bytes."""
    left = columns.to_bytes(columns_of([sample(2, version="2")]))
    assert columns.to_bytes(columns_of([sample(1, version="1"), sample(2, version="2")])) == left


@given(st.lists(samples(), min_size=1, max_size=5), st.lists(samples(), min_size=1, max_size=5))
def test_columns_are_equal_if_their_rows_are(
    first: list[SentSample], second: list[SentSample]
) -> None:
    """And only then are their bytes equal."""
    one, other = columns_of(first), columns_of(second)
    assert (one == other) == (latest_by_identity(first) == latest_by_identity(second))
    assert (one == other) == (columns.to_bytes(one) == columns.to_bytes(other))


def test_a_sample_that_ends_before_it_starts_is_rejected() -> None:
    """By instant, not by text."""
    with pytest.raises(ValueError, match="ends before it starts"):
        columns_of([sample(1, "2024-02-29T12:00:00Z", "2024-02-29T12:30:00+01:00")])


@given(
    st.lists(st.lists(samples() | far_samples(), min_size=1, max_size=3), min_size=1, max_size=5)
)
def test_many_batches_are_decoded_as_each_alone(received: list[list[SentSample]]) -> None:
    """Whether their columns are alike or not, in any order."""
    batches = [columns_of(sent) for sent in [*received, *reversed(received)]]
    whole, counts = columns.from_all_bytes([columns.to_bytes(batch) for batch in batches])
    assert counts == [len(batch) for batch in batches]
    assert columns.rows(whole) == [row for batch in batches for row in columns.rows(batch)]


@pytest.mark.parametrize("damaged", [b"\x02", b"\x01\xff\xff\0\0\x98", b"\x01\x01\0\0\0\x90"])
def test_damaged_bytes_are_rejected(damaged: bytes) -> None:
    """Not taken for samples."""
    with pytest.raises(ValueError, match="damaged"):
        columns.from_bytes(damaged)


def test_bytes_of_a_newer_version_are_rejected() -> None:
    """An older program does not misread what a newer one wrote."""
    encoded = columns.to_bytes(columns_of([sample()]))
    with pytest.raises(ValueError, match="newer version"):
        columns.from_bytes(b"\xff" + encoded[1:])


def realistic(count: int, seed: int) -> list[SentSample]:
    """Steps of a phone: one walk after another, with fractions of seconds as phones send them."""
    random = Random(seed)
    moment = datetime(2024, 3, 1, 6, 30)  # noqa: DTZ001 - local, in +01:00
    found = []
    for _ in range(count):
        moment += timedelta(seconds=random.randint(20, 900))
        ended = moment + timedelta(seconds=random.randint(5, 600))
        start, end = local_time(moment, "", 60), local_time(ended, "", 60)
        found.append(SentSample("iPhone", "17.4", start, end, "count", random.randint(1, 900)))
        moment = ended
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_realistic_sample_takes_few_bytes(seed: int) -> None:
    """In a batch of a thousand."""
    encoded = columns.to_bytes(columns_of(realistic(1000, seed)))
    assert len(encoded) / 1000 <= BYTES_A_SAMPLE

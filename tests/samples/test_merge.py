"""What is read does not depend on how samples were split into uploads."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from samples.making import SentSample, columns_of, far_samples, latest_by_identity, samples
from uptake.samples import columns
from uptake.samples.merge import merge
from uptake.samples.packed import unpack

received_samples = st.lists(samples() | far_samples(), min_size=1, max_size=30)


@st.composite
def split_samples(draw: st.DrawFn) -> list[list[SentSample]]:
    """Samples in the order received, in any batches of at least one."""
    received = draw(received_samples)
    cuts = draw(st.sets(st.integers(1, len(received) - 1))) if len(received) > 1 else set()
    return [received[a:b] for a, b in pairwise([0, *sorted(cuts), len(received)])]


@given(split_samples())
def test_any_split_merges_to_the_last_of_each_sample(batches: list[list[SentSample]]) -> None:
    """Exactly the last received of each identity, sorted."""
    merged = merge([columns_of(batch) for batch in batches])
    received = [sample for batch in batches for sample in batch]
    assert columns.rows(merged) == latest_by_identity(received)


@given(split_samples(), st.data())
def test_batches_can_be_merged_in_any_grouping(
    batches: list[list[SentSample]], data: st.DataObject
) -> None:
    """Neighbours first or all together, encoded or not: equal byte for byte."""
    whole = merge([columns_of(batch) for batch in batches])
    parts = [columns_of(batch) for batch in batches]
    while len(parts) > 1:
        first = data.draw(st.integers(0, len(parts) - 2))
        folded = merge(parts[first : first + 2])
        parts[first : first + 2] = [columns.from_bytes(columns.to_bytes(folded))]
    assert columns.to_bytes(parts[0]) == columns.to_bytes(whole)


@given(split_samples(), st.data())
def test_only_the_last_receipt_of_a_repeated_batch_matters(
    batches: list[list[SentSample]], data: st.DataObject
) -> None:
    """Dropping the earlier ones changes nothing."""
    order = data.draw(st.lists(st.integers(0, len(batches) - 1), min_size=1, max_size=12))
    last = [number for at, number in enumerate(order) if number not in order[at + 1 :]]
    with_repeats = merge([columns_of(batches[number]) for number in order])
    without = merge([columns_of(batches[number]) for number in last])
    received = [sample for number in order for sample in batches[number]]
    assert columns.rows(with_repeats) == latest_by_identity(received)
    assert columns.rows(without) == columns.rows(with_repeats)


@given(received_samples)
def test_merging_does_not_change_its_arguments(received: list[SentSample]) -> None:
    """A merged batch can be merged again."""
    batch = columns_of(received)
    before = columns.to_bytes(batch)
    merge([batch, columns_of(received[:1]), batch])
    assert columns.to_bytes(batch) == before


@given(received_samples)
def test_until_is_an_upper_bound_of_the_ends(received: list[SentSample]) -> None:
    """Exact if all samples have one length."""
    batch = columns_of(received)
    ends = [start + max(length, 0) for start, length in batch.numbers[:2].T.tolist()]
    assert unpack(columns.to_bytes(batch)).until >= max(ends)
    alike = columns_of([sample._replace(end=None) for sample in received])
    assert unpack(columns.to_bytes(alike)).until == alike.start[-1]

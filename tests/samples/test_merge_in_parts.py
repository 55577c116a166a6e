"""Merging a piece at a time gives what merging all at once gives."""

from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from samples.making import SentSample, columns_of, far_samples, latest_by_identity, samples
from uptake.samples import columns
from uptake.samples.merge import merge_in_parts


class Stored(NamedTuple):
    """A stored batch."""

    sequence: int
    first: int
    last: int
    columns: bytes
    directory: bytes | None = None
    until: int | None = None


def stored(batches: list[list[SentSample]]) -> list[Stored]:
    """Stored batches, received in this order."""
    found = []
    for sequence, batch in enumerate(batches):
        built = columns_of(batch)
        ends = int(built.start[0]), int(built.start[-1])
        found.append(Stored(sequence, *ends, columns.to_bytes(built)))
    return found


@given(
    st.lists(samples() | far_samples(), min_size=1, max_size=30),
    st.data(),
    st.sampled_from([0, 1, 3, 1000]),
)
def test_parts_are_the_last_of_each_sample_in_order(
    received: list[SentSample], data: st.DataObject, max_pending: int
) -> None:
    """For any split, order of reading, and bound."""
    cuts = data.draw(st.sets(st.integers(1, len(received))))
    ends = sorted({0, *cuts, len(received)})
    batches = data.draw(st.permutations(stored([received[a:b] for a, b in pairwise(ends)])))
    pieces = list(merge_in_parts(batches, max_pending))
    assert all(map(len, pieces))
    assert [row for piece in pieces for row in columns.rows(piece)] == latest_by_identity(received)


def test_batches_without_overlap_are_separate_parts() -> None:
    """So that only one is in memory."""
    sent = [
        [SentSample("Watch", None, f"2024-01-0{day}T00:00:00Z", None, "count", 1.0)]
        for day in (3, 1, 2)
    ]
    pieces = [columns.rows(piece)[0]["start_date"] for piece in merge_in_parts(stored(sent))]
    assert pieces == [f"2024-01-0{day}T00:00:00Z" for day in (1, 2, 3)]


def test_a_long_overlap_is_yielded_in_parts() -> None:
    """The others do not wait for the end of a long batch."""
    stamps = [f"2015-01-{day:02}T{hour:02}:00:00Z" for day in range(1, 10) for hour in range(24)]
    reach = [SentSample("Watch", None, stamps[at], None, "count", 1.0) for at in (0, -1)]
    hours = [[SentSample("Phone", None, stamp, None, "count", 1.0)] for stamp in stamps]
    pieces = list(merge_in_parts(stored([reach, *hours]), 20))
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 30
    assert sum(map(len, pieces)) == 2 + 9 * 24

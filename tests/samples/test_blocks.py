"""A block gives back exactly what was folded into it, however its batches are grouped."""

from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.making import SentSample, columns_of, far_samples, latest_by_identity, samples
from uptake.samples import blocks, columns
from uptake.samples.blocks import BadBlock, Block
from uptake.samples.columns import Columns
from uptake.samples.merge import Opened, merge_in_parts, merge_parts, open_all

EVER = (-(1 << 62), 1 << 62)


class Stored(NamedTuple):
    """A row of a store: a batch or a block."""

    sequence: int
    first: int
    last: int
    columns: bytes
    directory: bytes | None
    until: int | None


class Sent(NamedTuple):
    """A batch as it is stored."""

    digest: bytes
    numbers: tuple[int, int, int, int, int]
    columns: bytes

    @property
    def block(self) -> Block:
        """The batch as a block of its own."""
        return blocks.from_batches([self.digest], [self.numbers], [self.columns])


@st.composite
def sent_batches(draw: st.DrawFn) -> list[Sent]:
    """Batches in the order received."""
    received = draw(st.lists(samples() | far_samples(), min_size=1, max_size=30))
    cuts = draw(st.sets(st.integers(1, len(received) - 1))) if len(received) > 1 else set()
    numbers = st.integers(0, 1 << 54)
    found = []
    for place, (a, b) in enumerate(pairwise([0, *sorted(cuts), len(received)])):
        made = columns_of(received[a:b])
        encoded = columns.to_bytes(made)
        rest = draw(st.tuples(numbers, numbers, st.integers(0, 3)))
        found.append(Sent(columns.digest(encoded), (len(made), place * 65536, *rest), encoded))
    return found


@st.composite
def grouped(draw: st.DrawFn) -> tuple[list[Sent], list[list[Sent]]]:
    """Batches in the order received, and the same in any groups."""
    batches = draw(sent_batches())
    of = draw(st.lists(st.integers(0, 3), min_size=len(batches), max_size=len(batches)))
    groups = [[one for one, at in zip(batches, of, strict=True) if at == n] for n in range(4)]
    return batches, [draw(st.permutations(group)) for group in groups if group]


def stored(group: list[Sent]) -> Stored:
    """A batch in a row of its own, or a block of several."""
    block = blocks.joined([one.block for one in group])
    first, last = int(block.columns.start.min()), int(block.columns.start.max())
    if len(group) == 1:
        return Stored(group[0].numbers[1], first, last, group[0].columns, None, None)
    sequence = int(block.sequence.max())
    return Stored(sequence, first, last, block.to_columns(), block.to_directory(), block.until)


def opened(groups: list[list[Sent]]) -> list[Opened]:
    """The rows of groups, in the order in which a store returns them."""
    return open_all(sorted(map(stored, groups), key=attrgetter("sequence")))


def merged_from(rows: list[Opened], low: int, high: int) -> Columns | None:
    """The samples that start in [low, high), or more."""
    return merge_parts([one.part(low, high) for one in rows])


def shown(batches: list[Sent]) -> list[dict[str, object]]:
    """All samples, each as it was received last."""
    received = [row for one in batches for row in columns.rows(columns.from_bytes(one.columns))]
    sent = [
        SentSample(
            row["device_name"],
            row["device_version"],
            row["start_date"],
            row["end_date"],
            row["unit"],
            row["value"],
        )
        for row in received
    ]
    return latest_by_identity(sent)


def singles(block: Block) -> list[Block]:
    """Each batch of a block as a block of its own."""
    return [block.take(np.array([place])) for place in range(len(block))]


@given(grouped())
def test_batches_come_back_as_they_were(batches: tuple[list[Sent], list[list[Sent]]]) -> None:
    """Byte for byte: digest, numbers and samples, also after blocks were joined."""
    sent, groups = batches
    encoded = []
    for group in groups:
        block = blocks.joined([one.block for one in group])
        parts = block.digests.tobytes(), block.to_directory(), block.to_columns()
        encoded.append(blocks.from_stored(*parts))
    found = [
        Sent(
            one.digests.tobytes(),
            tuple(one.numbers[:, 0].tolist()),
            columns.to_bytes(columns.in_use(one.columns)),
        )
        for one in singles(blocks.joined(encoded))
    ]
    assert sorted(found) == sorted(sent)


@given(grouped())
def test_blocks_and_batches_merge_to_the_last_of_each_sample(
    batches: tuple[list[Sent], list[list[Sent]]],
) -> None:
    """However they are grouped."""
    sent, groups = batches
    merged = merged_from(opened(groups), *EVER)
    assert merged is not None
    assert columns.rows(merged) == shown(sent)


@given(grouped(), st.sampled_from([0, 3, 1000]))
def test_blocks_are_merged_in_parts(
    batches: tuple[list[Sent], list[list[Sent]]], max_pending: int
) -> None:
    """As batches are."""
    sent, groups = batches
    pieces = merge_in_parts([stored(group) for group in groups], max_pending)
    assert [row for piece in pieces for row in columns.rows(piece)] == shown(sent)


@given(grouped(), st.data())
def test_a_part_of_the_time_is_decoded(
    batches: tuple[list[Sent], list[list[Sent]]], data: st.DataObject
) -> None:
    """It has the same samples as all of them in that time."""
    _, groups = batches
    stored_ones = opened(groups)
    whole = merged_from(stored_ones, *EVER)
    assert whole is not None
    starts = sorted(set(whole.start.tolist()))
    low, high = sorted(data.draw(st.lists(st.sampled_from(starts), min_size=2, max_size=2)))
    part = merged_from(stored_ones, low, high)
    inside = whole.take((whole.start >= low) & (whole.start < high))
    found = (
        [] if part is None else columns.rows(part.take((part.start >= low) & (part.start < high)))
    )
    assert found == columns.rows(inside)


@given(sent_batches(), st.data())
def test_batches_can_be_taken_out(batches: list[Sent], data: st.DataObject) -> None:
    """The others are as they were."""
    block = blocks.joined([one.block for one in batches])
    which = np.array(data.draw(st.lists(st.booleans(), min_size=len(block), max_size=len(block))))
    taken, left = block.take(which), block.take(~which)
    digests = {one.digest: one for one in batches}
    for part, size in ((taken, which.sum()), (left, (~which).sum())):
        assert len(part) == size
        for one in singles(part):
            sent = digests[one.digests.tobytes()]
            assert columns.to_bytes(columns.in_use(one.columns)) == sent.columns


def test_a_directory_of_other_samples_is_rejected() -> None:
    """A sample never becomes one of another batch."""
    sample = SentSample("Watch", None, "2024-01-01T00:00:00Z", None, "count", 1.0)
    block = blocks.from_batches(
        [b"d" * 16], [(1, 0, 0, 0, 0)], [columns.to_bytes(columns_of([sample]))]
    )
    two = blocks.joined([block, block])
    with pytest.raises(BadBlock):
        blocks.from_stored(two.digests.tobytes(), two.to_directory(), block.to_columns())

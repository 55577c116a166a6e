"""Who counts when, tick by tick."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uptake.samples.rollup.precedence import counting

Piece = tuple[int, int, int]
"""Begin, end and rank."""

END = 60
pieces = st.tuples(st.integers(0, END), st.integers(0, END), st.integers(0, 11)).map(
    lambda piece: (min(piece[:2]), max(piece[:2]), piece[2])
)


def counted(pieces: list[Piece], owner: list[int]) -> list[int]:
    """The result of `counting`."""
    begin, end, rank = np.array(pieces, np.int64).reshape(-1, 3).T
    owners = np.array(owner, np.int64)
    counts: list[int] = counting(begin, end, owners[rank], rank, owners).tolist()
    return counts


def by_ticks(pieces: list[Piece], owner: list[int]) -> list[int]:
    """The rule itself: at each tick, the device of the lowest rank that has a piece there."""

    def best(at: int, *, points: bool) -> int | None:
        there = [
            rank
            for begin, end, rank in pieces
            if begin <= at < end or (points and begin == end == at)
        ]
        return owner[min(there)] if there else None

    winners = [best(at, points=False) for at in range(END)]
    return [
        winners[begin:end].count(owner[rank])
        if begin < end
        else int(best(begin, points=True) == owner[rank])
        for begin, end, rank in pieces
    ]


@given(st.lists(pieces, max_size=40), st.lists(st.integers(0, 5), min_size=12, max_size=12))
def test_the_lowest_rank_counts_at_every_time(pieces: list[Piece], owner: list[int]) -> None:
    """Any pieces, with and without a length, of devices with several ranks each."""
    assert counted(pieces, owner) == by_ticks(pieces, owner)


def test_a_year_long_sample_counts_where_a_thousand_devices_do_not() -> None:
    """Whatever the number of overlaps and devices is."""
    minutes = [(3 * i, 3 * i + 2, i) for i in range(100_000)]
    owner = [i % 1000 for i in range(100_000)] + [1000]
    found = counted([*minutes, (0, 300_000, 100_000)], owner)
    assert found == [2] * 100_000 + [100_000]


def test_many_long_samples_take_no_more_time_than_short_ones() -> None:
    """Fifty thousand that overlap each other: one device has all but the last tick."""
    found = counted([(i, 100_000 + i, i % 2) for i in range(50_000)], [0, 1])
    assert found[::2] == [100_000] * 25_000
    assert found[1::2] == [0] * 24_999 + [1]

"""How items are divided into requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uptake.uploader.samples.group import cuts

limits = st.integers(1, 9).flatmap(
    lambda least: st.tuples(st.just(least), st.integers(2 * least - 1, 40))
)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (2, []),
        (3, [3]),
        (1000, [1000]),
        (1001, [998, 3]),
        (1002, [999, 3]),
        (1003, [1000, 3]),
        (2001, [1000, 998, 3]),
        (3000, [1000, 1000, 1000]),
    ],
)
def test_no_remainder_is_too_small(count: int, sizes: list[int]) -> None:
    """With the limits of Gerosense."""
    assert cuts(count, 3, 1000) == sizes


def test_enough_items_are_held_back_for_the_next_request() -> None:
    """1002 may become 999 and 3, and 1003 may become 1000 and 3."""
    assert cuts(1002, 3, 1000, more=True) == []
    assert cuts(1003, 3, 1000, more=True) == [1000]


@given(limits, st.integers(0, 500))
def test_all_items_are_sent_within_the_limits(limits: tuple[int, int], count: int) -> None:
    """Unless there are too few for one request."""
    least, most = limits
    sizes = cuts(count, least, most)
    assert sum(sizes) == (count if count >= least else 0)
    assert all(least <= size <= most for size in sizes)


@given(limits, st.lists(st.integers(0, 60), max_size=12))
def test_no_item_is_left_over_if_items_arrive_in_parts(
    limits: tuple[int, int], came: list[int]
) -> None:
    """All items are sent if there are enough for one request in total."""
    least, most = limits
    sent, held = [], 0
    for some in came:
        held += some
        sizes = cuts(held, least, most, more=True)
        sent += sizes
        held -= sum(sizes)
    sent += cuts(held, least, most)
    assert sum(sent) == (sum(came) if sum(came) >= least else 0)
    assert all(least <= size <= most for size in sent)

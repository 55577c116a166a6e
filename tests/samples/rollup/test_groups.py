"""Combinations of numbers are numbered the same with a table and without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uptake.samples.rollup.groups import TABLE, group

columns = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=50
)


@pytest.mark.parametrize("sizes", [(5, 3, 4), (5, 3, TABLE)])
@given(rows=columns)
def test_each_distinct_row_has_one_number_in_order(
    sizes: tuple[int, ...], rows: list[tuple[int, ...]]
) -> None:
    """And each row has the number of its values."""
    found = group([np.array(column) for column in zip(*rows, strict=True)], sizes)
    keys = list(zip(*(key.tolist() for key in found.keys), strict=True))
    assert keys == sorted(set(rows))
    assert [keys[member] for member in found.member.tolist()] == rows
    assert len(found) == len(keys)

"""The index of what is known behaves like a dict."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uptake.uploader.samples.index import Index, groups_of

identities = st.tuples(st.integers(0, 9), st.integers(0, 2))
entries = st.tuples(identities, st.integers(0, 5))


def words(those: list[tuple[int, int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """Identities as two rows."""
    return np.array(those, np.uint64).reshape(-1, 2).T


@given(
    st.lists(st.tuples(st.booleans(), st.lists(entries, max_size=6)), max_size=20),
    st.lists(identities, min_size=1, max_size=10),
)
def test_it_knows_what_was_noted_last(
    steps: list[tuple[bool, list[tuple[tuple[int, int], int]]]], asked: list[tuple[int, int]]
) -> None:
    """However much was noted before, at once or bit by bit, and what was forgotten."""
    index = Index()
    plain: dict[tuple[int, int], int] = {}
    for forget, some in steps:
        told = [((first, 7), content) for (first, _), content in some]
        if forget:
            if told:
                index.remove(words([one for one, _ in told]))
            for one, _ in told:
                plain.pop(one, None)
        else:
            index.add(words([one for one, _ in told]), np.array([c for _, c in told], np.uint64))
            plain |= dict(told)
    known, content = index.find(words(asked))
    assert known.tolist() == [one in plain for one in asked]
    assert [c for c, k in zip(content.tolist(), known.tolist(), strict=True) if k] == [
        plain[one] for one in asked if one in plain
    ]
    keys, contents = index.merged()
    assert dict(zip(map(tuple, keys.T.tolist()), contents.tolist(), strict=True)) == plain


@given(st.lists(identities, min_size=1, max_size=20))
def test_groups_are_those_that_are_equal(asked: list[tuple[int, int]]) -> None:
    """Each with the place of its first."""
    number, first = groups_of(words(asked))
    assert len(first) == len(set(asked))
    assert [asked[first[n]] for n in number.tolist()] == asked
    assert [asked.index(asked[place]) for place in first.tolist()] == first.tolist()

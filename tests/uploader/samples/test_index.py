"""The index of known samples behaves like a dict."""

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
def test_it_has_the_last_value_of_each_key(
    steps: list[tuple[bool, list[tuple[tuple[int, int], int]]]], asked: list[tuple[int, int]]
) -> None:
    """After any sequence of additions and removals, of any size."""
    index = Index()
    plain: dict[tuple[int, int], int] = {}
    for forget, some in steps:
        pairs = [((first, 7), content) for (first, _), content in some]
        if forget:
            if pairs:
                index.remove(words([one for one, _ in pairs]))
            for one, _ in pairs:
                plain.pop(one, None)
        else:
            index.add(words([one for one, _ in pairs]), np.array([c for _, c in pairs], np.uint64))
            plain |= dict(pairs)
    known, content = index.find(words(asked))
    assert known.tolist() == [one in plain for one in asked]
    assert [c for c, k in zip(content.tolist(), known.tolist(), strict=True) if k] == [
        plain[one] for one in asked if one in plain
    ]
    keys, contents = index.merged()
    assert dict(zip(map(tuple, keys.T.tolist()), contents.tolist(), strict=True)) == plain


@given(st.lists(identities, min_size=1, max_size=20))
def test_equal_identities_are_one_group(asked: list[tuple[int, int]]) -> None:
    """Each group has the position of its first member."""
    number, first = groups_of(words(asked))
    assert len(first) == len(set(asked))
    assert [asked[first[n]] for n in number.tolist()] == asked
    assert [asked.index(asked[place]) for place in first.tolist()] == first.tolist()

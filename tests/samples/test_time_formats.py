"""Many instants written at once: the same texts as one at a time."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uptake.samples import times
from uptake.samples.time_formats import format_times

STAMPS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1969-12-31T23:59:59.9999999Z",
    "1970-01-01T00:00:00Z",
    "2024-02-29T23:59:59.123-00:30",
    "2024-03-01T00:00:00.123+05:45",
    "9999-12-31T23:59:59.9999999-23:59",
]
stamps = st.builds(
    lambda day, second, fraction, zone: (
        f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{fraction}{zone}"
    ),
    st.dates(),
    st.integers(0, 86399),
    st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,7}", fullmatch=True)),
    st.one_of(
        st.just("Z"), st.from_regex(r"[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]", fullmatch=True)
    ),
)


def formats(texts: list[str]) -> list[str]:
    """Texts read one at a time and written at once."""
    read = np.array([times.read(text) for text in texts], np.int64).reshape(-1, 2)
    chars, begins = format_times(read[:, 0], read[:, 1])
    whole = chars.tobytes().decode()
    assert begins[-1] == len(whole)
    return [whole[begin:end] for begin, end in pairwise(begins)]


def test_times_are_formatted_as_they_were_sent() -> None:
    """Every shape, from the first year to the last, mixed and alone."""
    assert formats(STAMPS) == STAMPS
    assert [formats([stamp]) for stamp in STAMPS] == [[stamp] for stamp in STAMPS]


def test_no_times_are_an_empty_text() -> None:
    """With one bound."""
    assert formats([]) == []


@given(st.lists(stamps, max_size=20))
def test_an_array_is_formatted_like_single_times(texts: list[str]) -> None:
    """Whatever the other times are; `-00:00` becomes `+00:00`."""
    expected = [times.format_time(*times.read(text)) for text in texts]
    assert formats(texts) == expected


@given(st.lists(st.integers(0, 86399), min_size=2, max_size=50), st.integers(0, 7))
def test_times_of_one_shape_are_formatted_like_single_times(
    seconds: list[int], digits: int
) -> None:
    """On the fast path."""
    fraction = "." + "1234567"[:digits] if digits else ""
    texts = [
        f"2023-10-29T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}{fraction}+02:00" for s in seconds
    ]
    assert formats(texts) == texts

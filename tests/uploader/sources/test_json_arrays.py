"""JSON arrays of any size are read item by item."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import Unreadable, json_arrays
from uptake.uploader.sources.json_arrays import items

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=5,
)
CUT_OFF = "the file ends before its array does: it is cut off"
NOT_JSON = "what begins here is not JSON; nothing after it is read"
OBJECTS = st.dictionaries(st.text("abc", max_size=2), VALUES, max_size=3)


def read(text: bytes, chunk: int = 1 << 20) -> list[Any]:
    """The items of a document, read in chunks of this size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "CHUNK_BYTES", chunk)
        return list(items(BytesIO(text), "a.json"))


@settings(deadline=None)
@given(st.lists(OBJECTS, max_size=6), st.integers(4, 40), st.sampled_from([None, 0, 1]))
def test_the_items_are_those_of_a_parser(values: list[Any], chunk: int, indent: int | None) -> None:
    """For any size of chunks, each with the line on which it begins."""
    text = json.dumps(values, ensure_ascii=False, indent=indent)
    found = read(text.encode(), chunk)
    assert [item for _, item in found] == values
    for line, _ in found:
        assert text.split("\n")[line - 1].lstrip("[, ").startswith("{")


@settings(deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=6), st.integers(4, 40), st.integers(1))
def test_a_truncated_array_is_read_as_far_as_it_goes(
    values: list[Any], chunk: int, place: int
) -> None:
    """The items before the end, then one report."""
    text = json.dumps(values).encode()
    *whole, last = read(text[: 1 + place % (len(text) - 1)], chunk)
    assert [item for _, item in whole] == values[: len(whole)]
    assert isinstance(last, Unreadable)
    assert last.reason in {CUT_OFF, NOT_JSON}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"\xef\xbb\xbf [ ]", []),
        (
            b'["\\ud83d\\ude00", "\\ud83d", "\xff"]',
            ["\U0001f600", "?", "\N{REPLACEMENT CHARACTER}"],
        ),
        (b"[1, oh, 2]", [1, NOT_JSON]),
        (b'{"a": []}', ["does not begin with an array of items"]),
        (b"[" * 100_000, [CUT_OFF]),
        (b"[" + b"9" * 5000 + b"]", [NOT_JSON]),
        (b"[oh" + b" " * 2_000_000 + b"]", [NOT_JSON]),
    ],
    ids=["empty", "surrogates", "no value", "no array", "deep", "long number", "large"],
)
def test_unusual_documents(text: bytes, found: list[Any]) -> None:
    """Are read as far as they are JSON, with one report."""
    read_items = read(text)
    assert [one.reason if isinstance(one, Unreadable) else one[1] for one in read_items] == found

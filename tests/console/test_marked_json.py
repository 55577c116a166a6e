"""Faults at the lines of an item."""

from typing import Any

import pytest

from uptake.console.marked_json import marked_lines

ITEM = {"user": {"name": "ada"}, "data": [1, {"a": [], "b": "<"}], "empty": {}}
TEXT = """{
  "user": {
    "name": "ada"
  },
  "data": [
    1,
    {
      "a": [],
      "b": "<"
    }
  ],
  "empty": {}
}"""


def _marked(item: Any, *place: str | int) -> str:
    """The text of the one line with a fault at this place."""
    fault = {"code": "c", "message": "m", "place": list(place)}
    (line,) = [line for line in marked_lines(item, [fault]) if line.faults]
    assert line.faults == ["c: m"]
    return line.text


def test_the_lines_are_those_of_the_item() -> None:
    """Each value begins in one line."""
    lines = marked_lines(ITEM, [])
    assert "\n".join(line.indent + line.text for line in lines) == TEXT
    assert [line.text for line in marked_lines("x", [])] == ['"x"']


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((), "{"),
        (("user", "name"), '"name": "ada"'),
        (("body", "user", "name"), '"name": "ada"'),
        (("body", "data", "user"), '"user": {'),
        (("data", 1, "b"), '"b": "<"'),
        (("data", 0), "1,"),
        (("data", 7, "b"), '"data": ['),
        (("user", "missing"), '"user": {'),
        (("missing",), "{"),
        (("...",), "{"),
    ],
    ids=str,
)
def test_a_fault_is_at_its_place(place: tuple[str | int, ...], text: str) -> None:
    """Or at the value around it; the part of the request with the item may come first."""
    assert _marked(ITEM, *place) == text

"""A JSON item as lines, with each fault at the line that it is about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

Path = tuple[str | int, ...]
INDENT = "  "


class Line(Struct):
    """A line of text, and the messages of the faults in it; `path` if a value begins in it."""

    indent: str
    text: str
    path: Path | None
    faults: list[str] = []


def marked_lines(item: Any, faults: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The lines of an item; a fault is at its place, or at the nearest member around it."""
    lines = list(_lines(item, (), "", ""))
    at = {line.path: line for line in lines if line.path is not None}
    for fault in faults:
        line = _line_of(tuple(fault["place"]), at)
        line.faults = [*line.faults, f"{fault['code']}: {fault['message']}"]
    return lines


def _line_of(place: Path, at: Mapping[Path, Line]) -> Line:
    """The line of a place, which may begin with the part of the request that has the item."""
    candidates = [place, *(place[count:] for count in (1, 2) if place[:1] == ("body",))]
    for candidate in candidates:
        if candidate in at:
            return at[candidate]
    around = [
        candidate[:length]
        for candidate in candidates
        for length in range(len(candidate) - 1, 0, -1)
        if candidate[:length] in at
    ]
    return at[max(around, key=len, default=())]


def _lines(value: Any, path: Path, name: str, end: str) -> Iterator[Line]:
    """The lines of a value, after its name and before a comma."""
    indent = INDENT * len(path)
    if isinstance(value, dict) and value:
        yield Line(indent, f"{name}{{", path)
        last = list(value)[-1]
        for key, one in value.items():
            yield from _lines(one, (*path, key), f"{_text(key)}: ", "" if key == last else ",")
        yield Line(indent, f"}}{end}", None)
    elif isinstance(value, list) and value:
        yield Line(indent, f"{name}[", path)
        for number, one in enumerate(value, 1):
            yield from _lines(one, (*path, number - 1), "", "," if number < len(value) else "")
        yield Line(indent, f"]{end}", None)
    else:
        yield Line(indent, f"{name}{_text(value)}{end}", path)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()

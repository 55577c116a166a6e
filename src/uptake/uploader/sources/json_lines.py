"""NDJSON: a JSON object on each line.

The last of repeated members counts. A byte order mark before the first line is ignored, and so are
lines without an item: blank lines, and those with only the reasons of a rejection. Any other line
that is not strict JSON is reported, `NaN`, `Infinity` and numbers beyond a double included.
"""

from collections.abc import Iterable, Iterator

import msgspec

from uptake.uploader.sources import Progress, UnknownSource, Unreadable
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.streams import BOM, line_blocks

REJECTED = "refused"
"""The member that the uploader adds to an item that was rejected."""

MISREAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not the JSON that was expected."""

PEEKED_BYTES = 64 * 1024
"""What is looked at to see whether the members that a mapping names occur at all."""

Members = dict[str, msgspec.Raw]
_MEMBERS = msgspec.json.Decoder(Members)


def require_members(source: Input, names: Iterable[str]) -> None:
    """Check that these members occur at the beginning of a file.

    Raises:
        UnknownSource: one does not; not when there are upload bodies, the members of which are
            further inside.
    """
    begin = source.peek(PEEKED_BYTES).removeprefix(BOM)
    found: dict[str, None] = {}
    for line in begin.split(b"\n"):
        try:
            found.update(dict.fromkeys(_MEMBERS.decode(line)))
        except MISREAD:
            continue
    for name in names:
        if name not in found and "data" not in found:
            members = ", ".join(found) or "nothing"
            raise UnknownSource(f"{source.file}: no line has a member {name!r}; found: {members}")


def only_rejected(text: bytes) -> bool:
    """Whether a line holds only the reasons of a rejection."""
    try:
        return set(_MEMBERS.decode(text)) == {REJECTED}
    except MISREAD:
        return False


def objects(source: Input, progress: Progress) -> Iterator[tuple[int, Members] | Unreadable]:
    """The members of each line, and its number; blank lines are left out."""
    with source.open(progress) as stream:
        for block in line_blocks(stream, source.file):
            if isinstance(block, Unreadable):
                yield block
            else:
                yield from _objects(*block, source.file)


def _objects(first: int, block: bytes, file: str) -> Iterator[tuple[int, Members] | Unreadable]:
    for line, text in enumerate(block.split(b"\n"), first):
        if not text or text.isspace():
            continue
        try:
            members = _MEMBERS.decode(text)
        except MISREAD as error:
            yield Unreadable(file, line, str(error))
            continue
        rejected = members.pop(REJECTED, None)
        if members or rejected is None:
            yield line, members

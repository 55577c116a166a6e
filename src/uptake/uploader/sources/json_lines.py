"""NDJSON: a JSON object on each line."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from uptake.uploader.sources import UnknownSource, Unreadable
from uptake.uploader.sources.file_source import Progress
from uptake.uploader.sources.streams import line_blocks, peeked, unpacked

REFUSED = "refused"
"""The member that the uploader adds to an item that was refused."""

MISREAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not the JSON that was expected."""

PEEKED_BYTES = 64 * 1024
"""What is looked at to see whether the members that a mapping names occur at all."""

Members = dict[str, msgspec.Raw]
_MEMBERS = msgspec.json.Decoder(Members)


def require_members(path: Path, names: Iterable[str], file: str) -> None:
    """Check that these members occur at the beginning of a file.

    Raises:
        UnknownSource: one does not; not when there are upload bodies, the members of which are
            further inside.
    """
    begin = peeked(path, PEEKED_BYTES)
    found: dict[str, None] = {}
    for line in begin.split(b"\n"):
        try:
            found.update(dict.fromkeys(_MEMBERS.decode(line)))
        except MISREAD:
            continue
    for name in names:
        if name not in found and "data" not in found:
            told = ", ".join(found) or "nothing"
            raise UnknownSource(f"{file}: no line has a member {name!r}; found: {told}")


def only_refused(text: bytes) -> bool:
    """Whether a line tells only why something was refused."""
    try:
        return set(_MEMBERS.decode(text)) == {REFUSED}
    except MISREAD:
        return False


def objects(path: Path, progress: Progress) -> Iterator[tuple[int, Members] | Unreadable]:
    """The members of each line, and its number; blank lines and those only refused are left out."""
    file = str(path)
    with unpacked(path, progress) as stream:
        for block in line_blocks(stream, file):
            if isinstance(block, Unreadable):
                yield block
            else:
                yield from _objects(*block, file)


def _objects(first: int, block: bytes, file: str) -> Iterator[tuple[int, Members] | Unreadable]:
    for line, text in enumerate(block.split(b"\n"), first):
        if not text or text.isspace():
            continue
        try:
            members = _MEMBERS.decode(text)
        except MISREAD as error:
            yield Unreadable(file, line, str(error))
            continue
        refused = members.pop(REFUSED, None)
        if members or refused is None:
            yield line, members

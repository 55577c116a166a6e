"""Streams of text cut into blocks of whole lines."""

from collections.abc import Iterator
from typing import Protocol

from uptake.uploader.sources import Unreadable

BLOCK_BYTES = 4 << 20
"""Read at a time: some ten thousand samples, the size of what sources yield."""

MAX_LINE_BYTES = 16 << 20
"""Four times what any endpoint takes as a JSON body; longer lines are no items."""

BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes | None:
        """At most that many bytes; none at the end."""


def line_blocks(stream: Readable, file: str) -> Iterator[tuple[int, bytes] | Unreadable]:
    """Blocks of whole lines, each with the number of its first; a byte order mark is left out.

    Lines of more than `MAX_LINE_BYTES` come as `Unreadable`.
    """
    line, rest, skipping = 1, b"", False
    first = True
    while chunk := stream.read(BLOCK_BYTES):
        if first:
            chunk = chunk.removeprefix(BOM)
            first = False
        if skipping:
            end = chunk.find(b"\n") + 1
            if not end:
                continue
            chunk, skipping, line = chunk[end:], False, line + 1
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = b"".join((rest, memoryview(chunk)[:cut]))
            rest = chunk[cut:]
            yield line, block
            line += block.count(b"\n")
        else:
            rest += chunk
        if len(rest) > MAX_LINE_BYTES:
            yield Unreadable(file, line, f"the line has more than {MAX_LINE_BYTES >> 20} MiB")
            rest, skipping = b"", True
    if rest:
        yield line, rest

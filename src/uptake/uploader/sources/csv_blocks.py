"""CSV in blocks of whole rows: a row ends with a line, unless that is within quotes."""

import re
from collections.abc import Iterator

from uptake.uploader.sources import Unreadable
from uptake.uploader.sources.streams import MAX_LINE_BYTES, Readable

BLOCK_BYTES = 1 << 20
"""Read at a time."""


def row_blocks(
    stream: Readable, delimiter: str, file: str, line: int
) -> Iterator[tuple[int, bytes] | Unreadable]:
    """Blocks of whole rows, each with the line that it begins on; `line` is the first one's.

    Where a quote is not closed, within `MAX_LINE_BYTES`, its line is reported and left out.
    """
    rows = _rows_of(delimiter.encode())
    rest = b""
    while True:
        chunk = stream.read(BLOCK_BYTES) or b""
        text = b"".join((rest, chunk))
        if not chunk and not text.endswith(b"\n"):
            text += b"\n"
        while text:
            match = rows.match(text) if b'"' in text else None
            cut = match.end() if match else text.rfind(b"\n") + 1
            if cut:
                yield line, text[:cut]
                line += text.count(b"\n", 0, cut)
            text = text[cut:]
            if not text or (chunk and len(text) <= MAX_LINE_BYTES):
                break
            yield Unreadable(file, line, "a quote is not closed, or the row is far too long")
            text = text[text.find(b"\n") + 1 :] if b"\n" in text else b""
            line += 1
        if not chunk:
            return
        rest = text


def _rows_of(delimiter: bytes) -> re.Pattern[bytes]:
    """What matches as many whole rows as there are (RFC 4180, and what others make of it)."""
    end = re.escape(delimiter)
    cell = rb'(?:"(?:[^"]++|"")*+"[^%b\n]*+|[^"%b\n][^%b\n]*+|)' % (end, end, end)
    return re.compile(rb"(?:(?:%b%b)*+%b\n)*+" % (cell, end, cell))

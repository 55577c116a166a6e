"""The body of an Apple Health export, in pieces of whole tags and without what is no element."""

import re
from collections.abc import Iterator

from uptake.uploader.sources import UnknownSource, Unreadable
from uptake.uploader.sources.streams import BLOCK_BYTES, Readable, read_up_to

PROLOG_BYTES = 1 << 20
"""What may stand before the root element; Apple's document type takes some ten thousand."""

MAX_TAG_BYTES = 16 << 20
"""A tag or comment longer than this is taken for a damaged one; Apple's take some hundreds."""

_ROOT = re.compile(rb"<HealthData(?=[\s/>])")
_KNOWN = re.compile(rb"<!DOCTYPE\s+HealthData\b|<HealthData(?=[\s/>])")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']*)""")
_ENCODINGS = (b"utf-8", b"utf8", b"us-ascii")
_ASIDE = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
"""What markup there may be between tags: comments, literal text, processing instructions."""

_END = re.compile(rb"</HealthData\s*>|<HealthData[^<]*/>\s*\Z")
_END_BYTES = 4096
"""Of the file's end, to look for the root element's."""


def is_export(head: bytes) -> bool:
    """Whether the beginning of a file looks like an Apple Health export's."""
    return _KNOWN.search(head) is not None


def require_export(head: bytes, file: str) -> None:
    """Check the beginning of a file, `PROLOG_BYTES` of it unless it is shorter.

    The document type is not read: some versions of iOS write a malformed one, and nothing in it
    changes what the elements mean. Entities would; they are how XML bombs are made.

    Raises:
        UnknownSource: it is no Apple Health export, or one that declares entities.
    """
    root = _ROOT.search(head)
    if root is None:
        raise UnknownSource(f"{file}: not an Apple Health export: it has no element HealthData")
    prolog = head[: root.start()]
    if b"<!ENTITY" in prolog:
        raise UnknownSource(f"{file}: declares entities, which no Apple Health export does")
    encoding = _ENCODING.match(prolog.removeprefix(b"\xef\xbb\xbf"))
    if encoding and encoding[1].lower() not in _ENCODINGS:
        name = encoding[1].decode("ascii", "replace")
        raise UnknownSource(f"{file}: is encoded in {name}; Apple Health exports are in UTF-8")


def pieces(stream: Readable, file: str) -> Iterator[tuple[int, bytes] | Unreadable]:
    """The root element in pieces, each with the line it begins on.

    Each begins with a tag and ends before one; comments, literal text and processing instructions
    are left out except for their line ends. A file that ends before its root element is reported.

    Raises:
        UnknownSource: as `require_export`.
    """
    head = read_up_to(stream, PROLOG_BYTES)
    require_export(head, file)
    root = _ROOT.search(head)
    start = root.start() if root else 0
    line, rest, end = 1 + head.count(b"\n", 0, start), head[start:], b""
    while True:
        chunk = stream.read(BLOCK_BYTES) or b""
        text = b"".join((rest, chunk))
        cut = text.rfind(b"<") if chunk else len(text)
        if _may_have_asides(text):
            text, cut = _without_asides(text, last=not chunk)
        piece, rest = text[:cut], text[cut:]
        if piece:
            yield line, piece
            line += piece.count(b"\n")
            end = (end + piece[-_END_BYTES:])[-_END_BYTES:]
        if not chunk:
            break
        if len(rest) > MAX_TAG_BYTES:
            yield Unreadable(file, line, f"what begins here does not end within {len(rest)} bytes")
            if rest.startswith((b"<!", b"<?")):
                return  # what follows may belong to it
            line += rest.count(b"\n")
            rest = b""
    if rest:
        yield Unreadable(file, line, "the file ends within a comment or literal text")
    elif _END.search(end) is None:
        yield Unreadable(file, line, "the file ends before its last element does: it is cut off")


def _may_have_asides(text: bytes) -> bool:
    # Single bytes are found many times faster than pairs, and hardly occur.
    return (b"!" in text and b"<!" in text) or (b"?" in text and b"<?" in text)


def _without_asides(text: bytes, *, last: bool) -> tuple[bytes, int]:
    """The text with line ends alone in place of asides, and where its last whole tag ends."""
    text = _ASIDE.sub(lambda aside: b"\n" * aside[0].count(b"\n"), text)
    open_ = min((at for at in (text.find(b"<!"), text.find(b"<?")) if at >= 0), default=None)
    if open_ is not None:
        return text, open_
    return text, len(text) if last else text.rfind(b"<")

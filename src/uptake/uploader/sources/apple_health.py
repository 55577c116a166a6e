"""Apple Health exports: `export.xml` in any language, in its zip or folder or by itself.

Steps and heart rates become samples. The export has no user id. Names, units and times are
converted as `apple_records` and `values` describe. Records of other types, and the other files of
an export, are ignored; rows of 0 steps are counted as skipped.

The body of the file is read in pieces of whole tags, without what is no element.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from uptake.files import CannotOpen, read_below
from uptake.uploader.sources import (
    FileOptions,
    Found,
    Progress,
    Source,
    UnknownSource,
    Unreadable,
    read_each,
)
from uptake.uploader.sources.apple_records import Records
from uptake.uploader.sources.inputs import FileInput, Input
from uptake.uploader.sources.streams import BLOCK_BYTES, Readable, read_up_to

PEEKED_BYTES = 64 * 1024
"""Of an XML file in an archive or folder, to see whether it is an export."""

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


def apple_health(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    """A source of samples from an `export.xml`.

    Raises:
        UnknownSource: it is no such export, or columns are mapped.
        OSError: it cannot be opened.
    """
    file = source.file
    if options.columns:
        raise UnknownSource(f"{file}: columns of an Apple Health export cannot be mapped")
    _require_export(source.peek(PROLOG_BYTES), file)

    def read(progress: Progress) -> Iterator[Found[pa.RecordBatch]]:
        records = Records(file, options)
        with source.open(progress) as stream:
            yield from read_each(pieces(stream, file), lambda piece: records.read(*piece))

    return Source(file, source.size, read)


def looks_like_export(source: Input) -> bool:
    """Whether a file in an archive begins as an Apple Health export does."""
    try:
        return source.name.lower().endswith(".xml") and _is_export(source.peek(PEEKED_BYTES))
    except OSError:
        return False  # opening it reports the reason


def exports_in_folder(folder: Path) -> list[Input]:
    """The exports in a folder, as unpacking `export.zip` makes one, in order of name."""
    found: list[Input] = []
    for path in sorted([*folder.glob("*.xml"), *folder.glob("*/*.xml")]):
        try:
            _, beginning = read_below(folder, path, PEEKED_BYTES)
        except CannotOpen:
            continue
        if _is_export(beginning):
            found.append(FileInput(path))
    return found


def _is_export(head: bytes) -> bool:
    return _KNOWN.search(head) is not None


def _require_export(head: bytes, file: str) -> None:
    """Check the beginning of a file, `PROLOG_BYTES` of it unless it is shorter.

    The document type is not read: some versions of iOS write a malformed one, and nothing in it
    changes what the elements mean. Entities would; they are how XML bombs are made.
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


def pieces(stream: Readable, file: str) -> Iterator[Found[tuple[int, bytes]]]:
    """The root element in pieces, each with the line it begins on.

    Each begins with a tag and ends before one; comments, literal text and processing instructions
    are left out except for their line ends. A file that ends before its root element is reported.

    Raises:
        UnknownSource: as `_require_export`.
    """
    head = read_up_to(stream, PROLOG_BYTES)
    _require_export(head, file)
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

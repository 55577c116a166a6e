"""Splits a multipart form (RFC 7578) into its parts, as browsers and old clients send it.

Own code, because the parser of the package `multipart` rejects what the standard allows: blanks
after a boundary, and part headers that are not UTF-8. File names are ignored.
"""

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from multipart import content_disposition_unquote, parse_options_header

MAX_PARTS = 20
"""A form needs one part; a few more are allowed."""

MAX_HEADERS = 16 * 1024
"""Bytes of the headers of a part."""

MAX_MARKS = 10_000
"""Occurrences of the boundary's text; parsing a body of nothing else would take seconds."""

_LINE_END = re.compile(rb"[ \t]*(\r?\n|\Z)")
_FOLD = re.compile(r"\r?\n[ \t]+")
_BLANKS = b" \t\r\n"


class BadForm(ValueError):
    """A form is malformed; the message is for its sender."""


class Part(NamedTuple):
    """A part of a form, with its transfer encoding decoded."""

    name: str
    content: bytes


def split(body: bytes, boundary: bytes) -> list[Part]:
    """Returns the parts of a form, in order.

    Raises:
        BadForm: the form is malformed or truncated, or a part of it cannot be decoded.
    """
    parts: list[Part] = []
    start = None
    newline = b"\r\n"
    for mark in _marks(body, boundary):
        if start is None:
            newline = mark.newline or newline
        elif body.endswith(newline, 0, mark.begin):
            # The line end before a boundary is not part of the content.
            parts.append(_part(body, start, max(start, mark.begin - len(newline)), newline))
            if len(parts) > MAX_PARTS:
                raise BadForm(f"it has more than {MAX_PARTS} parts")
        else:
            continue
        if mark.is_last:
            return parts
        start = mark.end
    if start is None:
        raise BadForm("it does not contain the boundary that its Content-Type names")
    raise BadForm("its last boundary is missing")


class _Mark(NamedTuple):
    """A line that is the boundary: its begin, its end, and its newline."""

    begin: int
    end: int
    newline: bytes
    is_last: bool


def _marks(body: bytes, boundary: bytes) -> Iterator[_Mark]:
    text = b"--" + boundary
    at, seen = body.find(text), 0
    while at >= 0:
        seen += 1
        if seen > MAX_MARKS:
            raise BadForm("its boundary occurs too often")
        after = at + len(text)
        if at == 0 or body[at - 1 : at] == b"\n":
            is_last = body.startswith(b"--", after)
            line_end = _LINE_END.match(body, after + 2 * is_last)
            if line_end is not None and (is_last or line_end[1]):
                yield _Mark(at, line_end.end(), line_end[1], is_last)
        at = body.find(text, after)


def _part(body: bytes, start: int, end: int, newline: bytes) -> Part:
    """A part from its headers, a blank line and its content."""
    blank = newline * 2
    if body.startswith(newline, start):
        raise BadForm("a part has no headers")
    head_end = body.find(blank, start, min(end, start + MAX_HEADERS))
    if head_end < 0:
        if end - start > MAX_HEADERS:
            raise BadForm(f"the headers of a part have over {MAX_HEADERS // 1024} KiB")
        head_end = end
    head, content = body[start:head_end], body[head_end + len(blank) : end]
    # Latin-1 decodes any bytes: file names have the encoding of the client.
    lines = _FOLD.sub(" ", head.decode("latin-1")).splitlines()
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
    }
    _, options = parse_options_header(
        headers.get("content-disposition", ""), unquote=content_disposition_unquote
    )
    return Part(
        options.get("name", ""), _decoded(content, headers.get("content-transfer-encoding", ""))
    )


def _decoded(content: bytes, encoding: str) -> bytes:
    match encoding.lower():
        case "" | "7bit" | "8bit" | "binary":
            return content
        case "base64":
            try:
                return binascii.a2b_base64(content.translate(None, _BLANKS), strict_mode=True)
            except binascii.Error:
                raise BadForm(
                    "a part is not valid base64, which is its transfer encoding"
                ) from None
        case "quoted-printable":
            return binascii.a2b_qp(content)
    raise BadForm(f"the Content-Transfer-Encoding {encoding[:40]!r} is not supported")

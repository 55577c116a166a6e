"""Takes the metadata out of a WebP file without decoding the pictures."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from uptake.intake.images.orientation import UPRIGHT, orientation_of
from uptake.intake.images.pieces import Pieces
from uptake.intake.images.verdict import MAX_PARTS, Stripped, check_size, malformed, truncated

_NAME: Final = "WebP"

# RFC 9649 section 2.4: "RIFF", length, "WEBP".  Section 2.7.1.1: sixteen bytes lead a frame.
_FILE_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_FRAME_HEADER: Final = 16
_CANVAS_BODY: Final = 10

_LOSSY, _LOSSLESS, _CANVAS, _FRAME = b"VP8 ", b"VP8L", b"VP8X", b"ANMF"
_BITSTREAMS: Final = frozenset({_LOSSY, _LOSSLESS})
_SHOWING: Final = _BITSTREAMS | {_CANVAS, _FRAME, b"ANIM", b"ALPH", b"ICCP"}
_SHOWING_IN_FRAME: Final = _BITSTREAMS | {b"ALPH"}

# RFC 9649 section 2.7: the bits of VP8X that promise an EXIF and an XMP chunk.
_METADATA_FLAGS: Final = 0x08 | 0x04


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    body: int
    body_end: int
    end: int


def strip(content: bytes) -> Stripped:
    """The pictures in `content`, which has the RIFF and WEBP signatures, without other chunks.

    All after the length that RIFF states goes.  Source: RFC 9649 section 2.
    Raises UnusableImage: "truncated", "not_an_image" or "too_many_pixels".
    """
    declared = 8 + int.from_bytes(content[4:8], "little")
    kept = Pieces(content)
    size: tuple[int, int] | None = None
    exif = b""
    bitstreams: list[bytes] = []
    frames = 0
    for chunk in _chunks(content, _FILE_HEADER, declared):
        if chunk.kind in _BITSTREAMS or chunk.kind == _CANVAS:
            found = _size(content, chunk)
            size = size or found
        elif chunk.kind == b"EXIF" and not exif:
            exif = content[chunk.body : chunk.body_end]
        if chunk.kind == _FRAME:
            frames += 1
            bitstreams += _take_frame(content, chunk, kept)
        else:
            bitstreams += [chunk.kind] if chunk.kind in _BITSTREAMS else []
            _take(content, chunk, kept)
    if declared > len(content):
        raise truncated(_NAME)
    if size is None or not bitstreams:
        raise malformed(_NAME, "it holds no picture")
    orientation = orientation_of(exif) if exif else UPRIGHT
    lossless = _LOSSY not in bitstreams
    return Stripped(_file(content, kept), *size, orientation, max(frames, 1), lossless)


def _chunks(content: bytes, start: int, limit: int) -> Iterator[_Chunk]:
    for _ in range(MAX_PARTS):
        if start >= limit:
            return
        body = start + _CHUNK_HEADER
        if body > len(content):
            raise truncated(_NAME)
        kind, length = struct.unpack_from("<4sI", content, start)
        if body + length > len(content):
            raise truncated(_NAME)
        if body + length > limit:
            raise malformed(_NAME, "a chunk reaches beyond what holds it")
        # Some writers leave out the padding of the last chunk.
        end = min(body + length + length % 2, limit)
        yield _Chunk(kind, start, body, body + length, end)
        start = end
    raise malformed(_NAME, f"it has more than {MAX_PARTS:,} chunks")


def _size(content: bytes, chunk: _Chunk) -> tuple[int, int]:
    body = content[chunk.body : min(chunk.body + _CANVAS_BODY, chunk.body_end)]
    if chunk.kind == _CANVAS and len(body) == _CANVAS_BODY:
        width = int.from_bytes(body[4:7], "little") + 1
        height = int.from_bytes(body[7:10], "little") + 1
    elif chunk.kind == _LOSSY and body[3:6] == b"\x9d\x01\x2a" and len(body) == _CANVAS_BODY:
        # RFC 6386 section 9.1: fourteen bits each, the upper two are a scale hint.
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    elif chunk.kind == _LOSSLESS and body[:1] == b"\x2f" and len(body) >= 5:
        # RFC 9649 section 3.4: fourteen bits each, less one.
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise malformed(_NAME, "its header cannot be read")
    check_size(_NAME, width, height)
    return width, height


def _take(content: bytes, chunk: _Chunk, kept: Pieces) -> None:
    if chunk.kind not in _SHOWING:
        return
    flags = content[chunk.body] if chunk.kind == _CANVAS else 0
    if flags & _METADATA_FLAGS:
        kept.keep(chunk.start, chunk.body)
        kept.put(bytes((flags & ~_METADATA_FLAGS,)))
        kept.keep(chunk.body + 1, chunk.end)
    else:
        kept.keep(chunk.start, chunk.end)


def _take_frame(content: bytes, frame: _Chunk, kept: Pieces) -> list[bytes]:
    first = frame.body + _FRAME_HEADER
    if first > frame.body_end:
        raise malformed(_NAME, "a frame has no header")
    inner = list(_chunks(content, first, frame.body_end))
    showing = [chunk for chunk in inner if chunk.kind in _SHOWING_IN_FRAME]
    if len(showing) == len(inner):
        kept.keep(frame.start, frame.end)
    else:
        length = _FRAME_HEADER + sum(chunk.end - chunk.start for chunk in showing)
        kept.put(_FRAME + length.to_bytes(4, "little"))
        kept.keep(frame.body, first)
        for chunk in showing:
            kept.keep(chunk.start, chunk.end)
        kept.put(b"\0" * (length % 2))
    return [chunk.kind for chunk in showing if chunk.kind in _BITSTREAMS]


def _file(content: bytes, kept: Pieces) -> bytes:
    body = kept.joined()
    header = b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP"
    whole = header + body
    return content if whole == content else whole

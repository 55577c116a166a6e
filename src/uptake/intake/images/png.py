"""Takes the metadata out of a PNG file without decoding the picture."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from uptake.intake.images.orientation import UPRIGHT, orientation_of
from uptake.intake.images.pieces import Pieces
from uptake.intake.images.verdict import (
    MAX_PARTS,
    Stripped,
    UnusableImage,
    check_size,
    malformed,
    truncated,
)

_NAME: Final = "PNG"
_SIGNATURE: Final = 8
# Length, type and CRC around the data of a chunk; PNG 3rd edition 5.3.
_AROUND: Final = 12
_IHDR_END: Final = _SIGNATURE + _AROUND + 13

# The chunks that show the picture, with their lengths where those are fixed: a longer one
# would carry something else along.  PNG 3rd edition, section 11.
_COLOUR: Final[dict[bytes, int | None]] = {
    b"cHRM": 32,
    b"gAMA": 4,
    b"iCCP": None,
    b"sRGB": 1,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
}
_SHOWING: Final[dict[bytes, int | None]] = _COLOUR | {
    b"IHDR": 13,
    b"PLTE": None,
    b"IDAT": None,
    b"IEND": 0,
    b"tRNS": None,
    b"sBIT": None,
    b"bKGD": None,
    b"hIST": None,
    b"sPLT": None,
    b"pHYs": 9,
    b"acTL": 8,
    b"fcTL": 26,
    b"fdAT": None,
}


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    end: int

    def data(self, content: bytes) -> bytes:
        return content[self.start + 8 : self.end - 4]


def strip(content: bytes) -> Stripped:
    """The picture in `content`, which has the PNG signature, without its other chunks.

    Every chunk's CRC is checked; all after IEND goes.  Source: PNG 3rd edition, sections 5, 11.
    Raises UnusableImage: "truncated" (also for a wrong CRC, which is what damage on the way
    looks like), "not_an_image" or "too_many_pixels".
    """
    kept = Pieces(content)
    kept.keep(0, _SIGNATURE)
    width = height = frames = 0
    exif = b""
    seen: set[bytes] = set()
    for chunk in _chunks(content):
        if (chunk.kind == b"IHDR") != (chunk.start == _SIGNATURE):
            raise malformed(_NAME, "it does not start with one header chunk")
        if chunk.kind == b"IHDR":
            width, height = _size(chunk.data(content))
        elif chunk.kind == b"eXIf" and not exif:
            exif = chunk.data(content)
        elif chunk.kind == b"fcTL":
            frames += 1
        seen.add(chunk.kind)
        if chunk.kind == b"IEND" and chunk.end - chunk.start > _AROUND:
            kept.put(b"\0\0\0\0IEND" + zlib.crc32(b"IEND").to_bytes(4))
        elif _is_showing(chunk):
            kept.keep(chunk.start, chunk.end)
    if b"IDAT" not in seen:
        raise malformed(_NAME, "it holds no picture")
    if b"acTL" not in seen:
        frames = 0
    return Stripped(
        kept.joined(), width, height, orientation_of(exif) if exif else UPRIGHT, max(frames, 1)
    )


def with_colour_of(source: bytes, target: bytes) -> bytes:
    """The PNG `target` with the chunks of the PNG `source` that say what its colours mean.

    `target` must have none of its own.  They stand right after IHDR, which satisfies the
    ordering of PNG 3rd edition 5.6.  Raises UnusableImage when `source` is broken.
    """
    colour = [source[c.start : c.end] for c in _chunks(source) if c.kind in _COLOUR]
    return target[:_IHDR_END] + b"".join(colour) + target[_IHDR_END:]


def _chunks(content: bytes) -> Iterator[_Chunk]:
    view = memoryview(content)
    start = _SIGNATURE
    for _ in range(MAX_PARTS):
        if start + _AROUND > len(content):
            raise truncated(_NAME)
        length = int.from_bytes(content[start : start + 4])
        end = start + _AROUND + length
        if end > len(content):
            raise truncated(_NAME)
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(content[end - 4 : end]):
            raise UnusableImage("truncated", "The PNG image is damaged: a checksum is wrong.")
        chunk = _Chunk(content[start + 4 : start + 8], start, end)
        yield chunk
        if chunk.kind == b"IEND":
            return
        start = end
    raise malformed(_NAME, f"it has more than {MAX_PARTS:,} chunks")


def _size(header: bytes) -> tuple[int, int]:
    if len(header) != _SHOWING[b"IHDR"]:
        raise malformed(_NAME, "its header chunk has the wrong length")
    width, height = struct.unpack_from(">II", header)
    check_size(_NAME, width, height)
    return width, height


def _is_showing(chunk: _Chunk) -> bool:
    if chunk.kind not in _SHOWING:
        return False
    length = _SHOWING[chunk.kind]
    return length is None or length == chunk.end - chunk.start - _AROUND

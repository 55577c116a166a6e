"""Reads the chunks of a WebP file, and writes only those that display the picture."""

import io
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, cast

from PIL import Image

from uptake.intake.images import icc
from uptake.intake.images.stripped import (
    MAX_PARTS,
    MAX_PIXELS,
    UPRIGHT,
    Stripped,
    UnusableImage,
    check_size,
    malformed,
    orientation_of,
    truncated,
)

_NAME: Final = "WebP"
_LOSSY, _LOSSLESS, _ALPHA = b"VP8 ", b"VP8L", b"ALPH"

# RFC 9649 section 2.4: "RIFF", length, "WEBP".  Section 2.7.1.1: sixteen bytes lead a frame.
_FILE_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_FRAME_HEADER: Final = 16
_CANVAS_BODY: Final = 10
_ANIMATION_BODY: Final = 6

_CANVAS, _FRAME, _ANIMATION, _PROFILE = b"VP8X", b"ANMF", b"ANIM", b"ICCP"
_BITSTREAMS: Final = frozenset({_LOSSY, _LOSSLESS})

# Section 2.7: bits of VP8X; 2.7.1.1: bits of a frame, for blending and disposal.
_HAS_PROFILE, _HAS_ALPHA, _HAS_ANIMATION = 0x20, 0x10, 0x02
_FRAME_FLAGS: Final = 0x03

# Encoders end a bitstream with up to three bytes that no decoder needs.
_SPARE: Final = 3

# RFC 6386 section 9.1: ten bytes before the first partition; its size is in the first three, above
# five other bits.
_LOSSY_HEADER: Final = 10
_PARTITION_SHIFT: Final = 5

# RFC 9649 section 2.7.1.2: the two lowest bits of the first byte are the compression of alpha, the
# two highest are reserved.
_COMPRESSION: Final = 0x03
_USED_BITS: Final = 0x3F

# Nanoseconds to decode a pixel three times, where one of JPEG's is decoded in one.
_WORK: Final = 60


class _Chunk(NamedTuple):
    kind: bytes
    body: bytes


@dataclass(slots=True)
class _Picture:
    """A bitstream, the alpha channel beside it, and the header of its frame."""

    header: bytes = b""
    width: int = 0
    height: int = 0
    alpha: bytes = b""
    kind: bytes = b""
    bitstream: bytes = b""

    def take(self, chunk: _Chunk) -> None:
        """Read a chunk; the first of each kind is used."""
        if chunk.kind == _ALPHA and not self.alpha and not self.kind:
            self.alpha = chunk.body
        elif chunk.kind in _BITSTREAMS and not self.kind:
            self.width, self.height = _bitstream_size(chunk)
            self.kind, self.bitstream = chunk.kind, chunk.body

    def verified_chunks(self) -> bytes:
        """Its chunks, without bytes that decoders do not need.

        A valid picture is decoded once unchanged, and once for each part without its last bytes,
        which must fail.
        Raises UnusableImage: "truncated" or "not_an_image".
        """
        alpha, bitstream = self.alpha, self.bitstream
        if self.kind == _LOSSLESS:
            alpha = b""
        elif alpha:
            alpha = bytes((alpha[0] & _USED_BITS,)) + alpha[1:]
            if not alpha[0] & _COMPRESSION:
                alpha = alpha[: 1 + self.width * self.height]
        if not self._decodes(alpha, bitstream):
            # Usually because it is cut off.
            if self.kind == _LOSSY and len(bitstream) < _LOSSY_HEADER:
                raise malformed(_NAME, "its header cannot be read")
            raise truncated(_NAME)
        if alpha and alpha[0] & _COMPRESSION:
            size = _needed(len(alpha), lambda size: self._decodes(alpha[:size], bitstream))
            alpha = alpha[:size]
        # The end of the picture does not depend on its alpha channel.
        size = _needed(len(bitstream), lambda size: self._decodes(b"", bitstream[:size]))
        bitstream = bitstream[:size]
        if self.kind == _LOSSY:
            first = int.from_bytes(bitstream[:3], "little") >> _PARTITION_SHIFT
            size = _needed(
                first, lambda size: self._decodes(b"", _with_partition(bitstream, first, size))
            )
            bitstream = _with_partition(bitstream, first, size)
        chunks = _chunk(_ALPHA, alpha) if alpha else b""
        return chunks + _chunk(self.kind, bitstream)

    def _decodes(self, alpha: bytes, bitstream: bytes) -> bool:
        body = _chunk(self.kind, bitstream)
        if alpha:
            sides = (self.width - 1).to_bytes(3, "little") + (self.height - 1).to_bytes(3, "little")
            canvas = _chunk(_CANVAS, bytes((_HAS_ALPHA, 0, 0, 0)) + sides)
            body = b"".join((canvas, _chunk(_ALPHA, alpha), body))
        try:
            with Image.open(io.BytesIO(_riff(body)), formats=("WEBP",)) as image:
                image.load()
        # Pillow raises whatever its parsers meet: OSError, SyntaxError, EOFError, ValueError...
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001
            return False
        return True


@dataclass(slots=True)
class _File:
    """The contents of a file."""

    canvas: bytes = b""
    profile: bytes = b""
    animation: bytes = b""
    exif: bytes = b""
    still: _Picture = field(default_factory=_Picture)
    frames: list[_Picture] = field(default_factory=list)

    @property
    def pictures(self) -> list[_Picture]:
        """The frames of an animation, or the one picture."""
        return self.frames or [self.still]


def strip(content: bytes) -> Stripped:
    """The pictures in `content`, which has the RIFF and WEBP signatures, without other chunks.

    `verified` writes the file.  Bytes after the length in the RIFF header are ignored.
    Source: RFC 9649 section 2.
    Raises UnusableImage: "truncated", "not_an_image" or "too_many_pixels".
    """
    declared = 8 + int.from_bytes(content[4:8], "little")
    file = _File()
    for chunk in _chunks(content, _FILE_HEADER, declared):
        _take(file, chunk)
    if declared > len(content):
        raise truncated(_NAME)
    if not all(picture.kind for picture in file.pictures):
        raise malformed(_NAME, "it holds no picture")
    first = file.pictures[0]
    width, height = _canvas_size(file.canvas) if file.canvas else (first.width, first.height)
    pixels = sum(picture.width * picture.height for picture in file.pictures)
    if pixels > MAX_PIXELS:
        raise UnusableImage(
            "too_many_pixels",
            f"The pictures of the WebP animation have {pixels:,} pixels together;"
            f" at most {MAX_PIXELS:,} are accepted.",
        )
    return Stripped(
        content,
        width,
        height,
        orientation_of(file.exif) if file.exif else UPRIGHT,
        max(len(file.frames), 1),
        all(picture.kind == _LOSSLESS for picture in file.pictures),
        work=pixels * _WORK,
        details=file,
    )


def verified(picture: Stripped) -> Stripped:
    """The file with its pictures, which are decoded to find how many bytes each needs.

    Raises UnusableImage: "truncated" or "not_an_image".
    """
    file = cast("_File", picture.details)
    parts = []
    if file.canvas:
        flags = file.canvas[0] & _HAS_ALPHA
        flags |= _HAS_PROFILE if file.profile else 0
        flags |= _HAS_ANIMATION if file.frames else 0
        parts.append(_chunk(_CANVAS, bytes((flags, 0, 0, 0)) + file.canvas[4:]))
        if file.profile:
            parts.append(_chunk(_PROFILE, file.profile))
    if file.frames:
        parts.append(_chunk(_ANIMATION, file.animation))
        parts += [_chunk(_FRAME, frame.header + frame.verified_chunks()) for frame in file.frames]
    else:
        parts.append(file.still.verified_chunks())
    content = _riff(b"".join(parts))
    return replace(picture, content=picture.content if content == picture.content else content)


def _take(file: _File, chunk: _Chunk) -> None:
    if chunk.kind == _CANVAS and not file.canvas:
        _canvas_size(chunk.body)
        file.canvas = chunk.body[:_CANVAS_BODY]
    elif chunk.kind == b"EXIF":
        file.exif = file.exif or chunk.body
    elif chunk.kind == _PROFILE and file.canvas:
        file.profile = file.profile or icc.cleaned(chunk.body) or b""
    elif chunk.kind == _ANIMATION and len(chunk.body) >= _ANIMATION_BODY:
        file.animation = file.animation or chunk.body[:_ANIMATION_BODY]
    elif chunk.kind == _FRAME and file.canvas and file.animation:
        file.frames.append(_frame(chunk.body))
    else:
        file.still.take(chunk)


def _frame(body: bytes) -> _Picture:
    if len(body) < _FRAME_HEADER:
        raise malformed(_NAME, "a frame has no header")
    last = _FRAME_HEADER - 1
    frame = _Picture(body[:last] + bytes((body[last] & _FRAME_FLAGS,)))
    for chunk in _chunks(body, _FRAME_HEADER, len(body)):
        frame.take(chunk)
    return frame


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
        yield _Chunk(kind, content[body : body + length])
        # Some writers leave out the padding of the last chunk.
        start = min(body + length + length % 2, limit)
    raise malformed(_NAME, f"it has more than {MAX_PARTS:,} chunks")


def _canvas_size(body: bytes) -> tuple[int, int]:
    if len(body) < _CANVAS_BODY:
        raise malformed(_NAME, "its header cannot be read")
    width = int.from_bytes(body[4:7], "little") + 1
    height = int.from_bytes(body[7:10], "little") + 1
    check_size(_NAME, width, height)
    return width, height


def _bitstream_size(chunk: _Chunk) -> tuple[int, int]:
    body = chunk.body
    if chunk.kind == _LOSSY and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
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


def _chunk(kind: bytes, body: bytes) -> bytes:
    """A RIFF chunk, padded to an even length."""
    return b"".join((kind, len(body).to_bytes(4, "little"), body, b"\0" * (len(body) % 2)))


def _riff(chunks: bytes) -> bytes:
    """A WebP file."""
    return b"".join((b"RIFF", (len(chunks) + 4).to_bytes(4, "little"), b"WEBP", chunks))


def _needed(size: int, decodes: Callable[[int], bool]) -> int:
    """The least number of bytes, up to `size`, that decode; `size` if only a few are spare."""
    spare = _SPARE + 1
    if spare >= size or not decodes(size - spare):
        return size
    enough = size - spare
    while spare < enough and decodes(enough - spare):
        enough -= spare
        spare *= 2
    least = max(enough - spare, 1)
    return bisect_left(range(least, enough), True, key=decodes) + least


def _with_partition(bitstream: bytes, first: int, size: int) -> bytes:
    """A lossy bitstream with its first partition, of `first` bytes, cut to `size` bytes."""
    if size == first:
        return bitstream
    head = int.from_bytes(bitstream[:3], "little") & ((1 << _PARTITION_SHIFT) - 1)
    head |= size << _PARTITION_SHIFT
    partition = bitstream[3 : _LOSSY_HEADER + size]
    return head.to_bytes(3, "little") + partition + bitstream[_LOSSY_HEADER + first :]

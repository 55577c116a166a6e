"""Reads the chunks of a PNG file, and writes only those that display the picture."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from uptake.intake.images import icc
from uptake.intake.images.png_pixels import Layout, Pixels
from uptake.intake.images.stripped import (
    MAX_PARTS,
    MAX_WORK,
    UPRIGHT,
    Stripped,
    UnusableImage,
    check_size,
    malformed,
    orientation_of,
    too_much_work,
    truncated,
)

_NAME: Final = "PNG"
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# Length, type and CRC around the data of a chunk; PNG 3rd edition 5.3.
_AROUND: Final = 12
_HEADER: Final = 13
_IHDR_END: Final = len(_SIGNATURE) + _AROUND + _HEADER
_CONTROL: Final = 26

# Damage to these chunks changes the picture, so it is not ignored.
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"acTL", b"fcTL", b"fdAT"})

# Colour chunks with their lengths; a chunk of another length may contain other data.
# PNG 3rd edition, 11.3.2.
_COLOUR: Final[dict[bytes, int | None]] = {
    b"cHRM": 32,
    b"gAMA": 4,
    b"iCCP": None,
    b"sRGB": 1,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
}

# 11.3.2.3: a name for users, and the method, which is always 0.
_PROFILE_NAME: Final = b"ICC Profile\0\0"

_GRAY, _TRUE_COLOUR, _INDEXED = 0, 2, 3
_TRANSPARENT: Final = {_GRAY: 2, _TRUE_COLOUR: 6}


class _Chunk(NamedTuple):
    kind: bytes
    data: memoryview
    is_sound: bool


def strip(content: bytes) -> Stripped:
    """The picture in `content`, which has the PNG signature, without its other chunks.

    The new file has the header, palette, transparency and colour chunks, each once and without
    trailing bytes, and the chunks of animations; `verified` writes the pixels.  A file may end
    after a whole chunk of pixels, and removed chunks may be damaged.  Source: PNG 3rd edition,
    sections 5, 11.
    Raises UnusableImage: "truncated" (also for a wrong CRC, the sign of damage in transfer),
    "not_an_image" or "too_many_pixels".
    """
    reader = _Reader()
    for chunk in _chunks(content):
        reader.take(chunk)
    layout, pixels = reader.layout, reader.pixels
    if not reader.has_end and (not pixels or reader.controls < reader.announced):
        raise truncated(_NAME)
    if layout is None or not pixels:
        raise malformed(_NAME, "it holds no picture")
    if layout.colour == _INDEXED and b"PLTE" not in reader.head:
        raise malformed(_NAME, "it has no palette")
    raw = sum(stream.raw_bytes for stream in pixels)
    if raw > MAX_WORK:
        raise too_much_work(_NAME, "frames and pixels")
    return Stripped(
        content,
        layout.width,
        layout.height,
        orientation=orientation_of(reader.exif) if reader.exif else UPRIGHT,
        frames=max(reader.controls, 1),
        work=raw * 2,
        details=reader,
    )


def verified(picture: Stripped) -> Stripped:
    """The picture after its pixels are inflated, to verify that they are complete.

    Raises UnusableImage: "truncated" or "not_an_image".
    """
    reader = cast("_Reader", picture.details)
    parts = [_SIGNATURE]
    parts += [_chunk(kind, data) for kind, data in reader.head.items()]
    if reader.controls:
        parts.append(_chunk(b"acTL", struct.pack(">II", reader.controls, reader.plays)))
    sequence = 0
    for stream in reader.pixels:
        if reader.controls and stream.control is not None:
            parts.append(_chunk(b"fcTL", sequence.to_bytes(4) + stream.control[4:]))
            sequence += 1
        for data in stream.verified():
            if stream.is_default:
                parts.append(_chunk(b"IDAT", data))
            else:
                parts.append(_chunk(b"fdAT", sequence.to_bytes(4) + data))
                sequence += 1
    parts.append(_chunk(b"IEND", b""))
    written = b"".join(parts)
    return Stripped(
        picture.content if written == picture.content else written,
        *(picture.width, picture.height, picture.orientation, picture.frames),
        work=picture.work,
    )


def with_colour_of(source: bytes, target: bytes) -> bytes:
    """The PNG `target` with the colour chunks of the PNG `source`.

    `target` must have no colour chunks.  They follow IHDR, as PNG 3rd edition 5.6 requires.
    """
    colour = [_chunk(c.kind, bytes(c.data)) for c in _chunks(source) if c.kind in _COLOUR]
    return target[:_IHDR_END] + b"".join(colour) + target[_IHDR_END:]


class _Reader:
    """Reads chunks in order."""

    def __init__(self) -> None:
        self.layout: Layout | None = None
        self.head: dict[bytes, bytes] = {}
        self.exif = b""
        self.pixels: list[Pixels] = []
        self.plays = 0
        self.announced = 0
        self.has_end = False
        self._is_animated = False
        self._control: bytes | None = None

    @property
    def controls(self) -> int:
        """Number of frames of the animation; 0 if there is none."""
        return sum(p.control is not None for p in self.pixels) if self._is_animated else 0

    def take(self, chunk: _Chunk) -> None:
        """Read a chunk."""
        kind = chunk.kind
        if (kind == b"IHDR") != (self.layout is None):
            raise malformed(_NAME, "it does not start with one header chunk")
        if not chunk.is_sound:
            if kind in _CRITICAL:
                raise UnusableImage("truncated", "The PNG image is damaged: a checksum is wrong.")
            return
        if kind == b"IHDR":
            self.head[kind] = bytes(chunk.data)
            self.layout = _layout(self.head[kind])
        elif kind == b"eXIf":
            self.exif = self.exif or bytes(chunk.data)
        elif kind == b"IDAT":
            self._take_pixels(chunk.data, is_default=True)
        elif kind in {b"fcTL", b"fdAT"}:
            self._take_frame(chunk)
        elif kind == b"IEND":
            self.has_end = True
        elif not self.pixels:
            self._take_head(kind, bytes(chunk.data))

    def _take_frame(self, chunk: _Chunk) -> None:
        if not self._is_animated:
            return
        if chunk.kind == b"fcTL":
            self._control = bytes(chunk.data)
        else:
            self._take_pixels(chunk.data[4:], is_default=False)

    def _take_head(self, kind: bytes, data: bytes) -> None:
        """Read a chunk that must precede the pixels."""
        if kind == b"acTL" and len(data) == 8:
            self._is_animated = True
            self.announced, self.plays = struct.unpack(">II", data)
        elif kind in self.head or self.layout is None:
            return
        elif kind in _COLOUR:
            if kind == b"iCCP":
                data = _profile(data)
            if data and _COLOUR[kind] in {None, len(data)}:
                self.head[kind] = data
        elif kind == b"PLTE" and self.layout.colour == _INDEXED:
            if not data or len(data) % 3 or len(data) > 3 * 256:
                raise malformed(_NAME, "its palette has the wrong length")
            self.head[kind] = data[: 3 << self.layout.depth]
        elif kind == b"tRNS":
            size = _TRANSPARENT.get(self.layout.colour, len(self.head.get(b"PLTE", b"")) // 3)
            if size and (len(data) == size or (data and self.layout.colour == _INDEXED)):
                self.head[kind] = data[:size]

    def _take_pixels(self, data: memoryview, *, is_default: bool) -> None:
        layout = cast("Layout", self.layout)
        last = self.pixels[-1] if self.pixels else None
        if last is None or self._control is not None:
            if not self.pixels and not is_default:
                raise malformed(_NAME, "a frame comes before the picture")
            control, self._control = self._control, None
            if control is not None:
                layout = _frame_layout(layout, control)
            last = Pixels(layout, is_default=is_default, control=control)
            self.pixels.append(last)
        # Pixels of another kind without a control chunk before them belong to no frame.
        if last.is_default == is_default:
            last.parts.append(data)


def _chunks(content: bytes) -> Iterator[_Chunk]:
    view = memoryview(content)
    start = len(_SIGNATURE)
    for _ in range(MAX_PARTS):
        if start + 8 > len(content):
            return
        length = int.from_bytes(content[start : start + 4])
        kind = content[start + 4 : start + 8]
        end = start + _AROUND + length
        if kind == b"IEND":
            yield _Chunk(kind, view[:0], is_sound=True)
            return
        if end > len(content):
            if kind in {b"IDAT", b"fdAT"}:
                raise truncated(_NAME)
            return
        crc = zlib.crc32(view[start + 4 : end - 4])
        is_sound = crc == int.from_bytes(content[end - 4 : end])
        yield _Chunk(kind, view[start + 8 : end - 4], is_sound)
        start = end
    raise malformed(_NAME, f"it has more than {MAX_PARTS:,} chunks")


def _layout(header: bytes) -> Layout:
    if len(header) != _HEADER:
        raise malformed(_NAME, "its header chunk has the wrong length")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", header
    )
    check_size(_NAME, width, height)
    layout = Layout(width, height, depth, colour, is_interlaced=interlace == 1)
    if not layout.is_valid or compression or filtering or interlace > 1:
        raise malformed(_NAME, "its header names a kind of pixels that does not exist")
    return layout


def _frame_layout(layout: Layout, control: bytes) -> Layout:
    """The layout of a frame of an animation (PNG 3rd edition, 11.3.6.2)."""
    if len(control) != _CONTROL:
        raise malformed(_NAME, "a frame has no header")
    width, height, left, top = struct.unpack_from(">IIII", control, 4)
    check_size(_NAME, width, height)
    if left + width > layout.width or top + height > layout.height:
        raise malformed(_NAME, "a frame reaches beyond the picture")
    return layout._replace(width=width, height=height)


def _profile(data: bytes) -> bytes:
    """The content of an iCCP chunk with a cleaned profile; empty if there is none."""
    _, _, compressed = data.partition(b"\0")
    try:
        inflated = zlib.decompressobj().decompress(compressed[1:], icc.MAX_PROFILE + 1)
    except zlib.error:
        return b""
    profile = icc.cleaned(inflated)
    return _PROFILE_NAME + zlib.compress(profile) if profile else b""


def _chunk(kind: bytes, data: bytes | memoryview) -> bytes:
    checked = b"".join((kind, data))
    return b"".join((len(data).to_bytes(4), checked, zlib.crc32(checked).to_bytes(4)))

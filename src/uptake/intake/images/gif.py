"""Reads the blocks of a GIF file, and writes a new file with its pictures and nothing else."""

import re
import struct
from dataclasses import dataclass, replace
from typing import Final, cast

from PIL import Image

from uptake.intake.images.stripped import (
    MAX_PARTS,
    MAX_PIXELS,
    Stripped,
    UnusableImage,
    check_size,
    malformed,
    truncated,
)

_NAME: Final = "GIF"

# GIF89a sections 17 to 27: header with logical screen descriptor, and the block introducers.
_SCREEN_END: Final = 13
_EXTENSION, _IMAGE, _TRAILER, _PADDING = 0x21, 0x2C, 0x3B, 0x00
_PLAIN_TEXT, _CONTROL, _APPLICATION = 0x01, 0xF9, 0xFF
_DESCRIPTOR: Final = 10
_HAS_TABLE: Final = 0x80
_INTERLACED: Final = 0x40
_TABLE_BITS: Final = 0x07
_CODE_SIZES: Final = range(1, 9)

# Data come in sub-blocks of at most 255 bytes (section 15): 82,000 in the largest upload.
_MAX_SUB_BLOCKS: Final = 500_000

# Section 23: flags, a delay, and the transparent index.  Three bits of the flags are the disposal
# method, and one is set if there is a transparent index.
_CONTROL_SIZE: Final = 4
_DISPOSAL: Final = 0x1C
_TRANSPARENT: Final = 0x01

# An application extension of one of two names has the number of loops.
_LOOP: Final = re.compile(rb"\x0b(?:NETSCAPE2\.0|ANIMEXTS1\.0)\x03\x01(..)", re.DOTALL)

_MAX_FRAME_PIXELS: Final = 5 * MAX_PIXELS // 2
"""Of all pictures of a file: 1,700 of 360 by 360.  Decoding and encoding takes three seconds."""

# Nanoseconds to decode and encode a pixel; inflating one of another format takes one.
_WORK: Final = 14


@dataclass(frozen=True, slots=True)
class _Frame:
    """A picture of the file, with the parameters of its decoder."""

    control: bytes
    place: bytes
    size: tuple[int, int]
    is_interlaced: bool
    table: bytes
    code_size: int
    data: memoryview


def strip(content: bytes) -> Stripped:
    """The pictures in `content`, which has the GIF signature, without its other extensions.

    `verified` writes the file.  It may lack its trailer, and have zeros between its blocks.
    Source: GIF89a.
    Raises UnusableImage: "truncated", "not_an_image" or "too_many_pixels".
    """
    try:
        reader = _Reader(content)
        reader.read()
    except (IndexError, struct.error) as error:
        # A read past the last byte.
        raise truncated(_NAME) from error
    if not reader.frames:
        raise malformed(_NAME, "it holds no picture")
    pixels = sum(frame.size[0] * frame.size[1] for frame in reader.frames)
    if pixels > _MAX_FRAME_PIXELS:
        raise UnusableImage(
            "too_many_pixels",
            f"The pictures of the GIF animation have {pixels:,} pixels together;"
            f" at most {_MAX_FRAME_PIXELS:,} are accepted.",
        )
    return Stripped(
        content,
        reader.width,
        reader.height,
        frames=len(reader.frames),
        work=pixels * _WORK,
        details=reader,
    )


def verified(picture: Stripped) -> Stripped:
    """The file written from its decoded pixels, so that it has no room for anything else.

    Raises UnusableImage: "truncated".
    """
    reader = cast("_Reader", picture.details)
    used: set[int] = set()
    body: list[bytes] = []
    for frame in reader.frames:
        pixels = _decoded(frame)
        indices = {index for index, count in enumerate(pixels.histogram()) if count}
        if not frame.table:
            used |= indices
        body += [frame.control, frame.place, _flags(frame.table), _only(frame.table, indices)]
        data = pixels.tobytes("gif", "P", frame.code_size, 0)
        body += [bytes((frame.code_size,)), data, b"\0"]
    shared = reader.table if used else b""
    screen = bytearray(reader.screen)
    screen[10] = (screen[10] & ~(_HAS_TABLE | _TABLE_BITS)) | _flags(shared)[0]
    if not shared:
        screen[11] = 0
    screen[12] = 0
    content = b"".join((screen, _only(shared, used), reader.loop, *body, b";"))
    return replace(picture, content=picture.content if content == picture.content else content)


def _decoded(frame: _Frame) -> Image.Image:
    try:
        return Image.frombytes(
            *("P", frame.size, frame.data, "gif"), *(frame.code_size, frame.is_interlaced, -1)
        )
    except ValueError as error:
        raise truncated(_NAME) from error


def _flags(table: bytes) -> bytes:
    """The byte with the length of a colour table that is neither interlaced nor sorted."""
    return bytes((_HAS_TABLE | ((len(table) // 3).bit_length() - 2),)) if table else b"\0"


def _only(table: bytes, used: set[int]) -> bytes:
    """The table, with unused colours set to black."""
    entries = range(len(table) // 3)
    return b"".join(table[3 * at : 3 * at + 3] if at in used else b"\0\0\0" for at in entries)


class _Reader:
    """One pass over the blocks of a file; reads past its end raise IndexError or struct.error.

    Attributes:
        screen: the header with the logical screen descriptor.
        table: the shared colour table.
        loop: the extension with the number of loops, if there is one.
        frames: the pictures.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.screen = content[:_SCREEN_END]
        self._view = memoryview(content)
        self._control = b""
        self._sub_blocks = 0
        self.width, self.height = struct.unpack_from("<HH", content, 6)
        check_size(_NAME, self.width, self.height)
        self.table = self._table(_SCREEN_END, content[10])
        self.loop = b""
        self.frames: list[_Frame] = []

    def read(self) -> None:
        """Read up to the trailer, or to the end of a file without one."""
        content = self._content
        position = _SCREEN_END + len(self.table)
        for _ in range(MAX_PARTS):
            while position < len(content) and content[position] == _PADDING:
                position += 1
            if position == len(content) and self.frames and not self._control:
                return
            introducer = content[position]
            if introducer == _TRAILER:
                return
            if introducer == _IMAGE:
                position = self._image(position)
            elif introducer == _EXTENSION:
                position = self._extension(position)
            else:
                raise malformed(_NAME, "a block is of no known kind")
        raise malformed(_NAME, f"it has more than {MAX_PARTS:,} blocks")

    def _image(self, start: int) -> int:
        left, top, width, height, flags = struct.unpack_from("<HHHHB", self._content, start + 1)
        # Decoders extend the canvas for an image that exceeds it.
        check_size(_NAME, max(self.width, left + width), max(self.height, top + height))
        check_size(_NAME, width, height)
        table = self._table(start + _DESCRIPTOR, flags)
        code_size = self._content[start + _DESCRIPTOR + len(table)]
        if code_size not in _CODE_SIZES:
            raise malformed(_NAME, "the codes of a picture have an impossible size")
        data = start + _DESCRIPTOR + len(table) + 1
        end = self._after_sub_blocks(data)
        self.frames.append(
            _Frame(
                self._control,
                self._content[start : start + _DESCRIPTOR - 1],
                (width, height),
                bool(flags & _INTERLACED),
                table,
                code_size,
                self._view[data:end],
            )
        )
        self._control = b""
        return end

    def _extension(self, start: int) -> int:
        end = self._after_sub_blocks(start + 2)
        kind = self._content[start + 1]
        data = self._content[start + 3 : end]
        if kind == _CONTROL and self._content[start + 2] == _CONTROL_SIZE:
            flags, delay, index = struct.unpack_from("<BHB", data)
            index = index if flags & _TRANSPARENT else 0
            control = struct.pack("<BHB", flags & (_DISPOSAL | _TRANSPARENT), delay, index)
            self._control = bytes((_EXTENSION, _CONTROL, _CONTROL_SIZE)) + control + b"\0"
        elif kind == _PLAIN_TEXT:
            # A control block before a text belongs to the text, not to the next image.
            self._control = b""
        elif kind == _APPLICATION and not self.loop:
            found = _LOOP.match(self._content, start + 2, end)
            if found:
                self.loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + found[1] + b"\0"
        return end

    def _after_sub_blocks(self, position: int) -> int:
        content = self._content
        while size := content[position]:
            position += size + 1
            self._sub_blocks += 1
            if self._sub_blocks > _MAX_SUB_BLOCKS:
                raise malformed(_NAME, f"it has more than {_MAX_SUB_BLOCKS:,} sub-blocks")
        return position + 1

    def _table(self, start: int, flags: int) -> bytes:
        size = 3 << ((flags & _TABLE_BITS) + 1) if flags & _HAS_TABLE else 0
        table = self._content[start : start + size]
        if len(table) < size:
            raise truncated(_NAME)
        return table

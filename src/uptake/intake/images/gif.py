"""Takes the metadata out of a GIF file without decoding the pictures."""

import re
import struct
from typing import Final

from uptake.intake.images.pieces import Pieces
from uptake.intake.images.verdict import MAX_PARTS, Stripped, check_size, malformed, truncated

_NAME: Final = "GIF"

# GIF89a sections 17 to 27: header with logical screen descriptor, and the block introducers.
_SCREEN_END: Final = 13
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_PLAIN_TEXT: Final = 0x01
_DESCRIPTOR: Final = 10
_HAS_TABLE: Final = 0x80
_TABLE_BITS: Final = 0x07

# Data lie in sub-blocks of at most 255 bytes (section 15): 82,000 in the largest upload.
_MAX_SUB_BLOCKS: Final = 500_000

# Section 23; and how often to loop, with the buffer size Netscape also wrote there.  Matching
# them whole keeps anything else from travelling in an extension of the same name.
_CONTROL: Final = re.compile(rb"\x21\xf9\x04.{4}\x00", re.DOTALL)
_LOOP: Final = re.compile(
    rb"\x21\xff\x0b(?:NETSCAPE2\.0|ANIMEXTS1\.0)(?:\x03\x01..|\x05\x02.{4}){1,2}\x00", re.DOTALL
)


def strip(content: bytes) -> Stripped:
    """The pictures in `content`, which has the GIF signature, without its other extensions.

    Kept are colour tables, images, graphic controls and the loop count; all after the
    trailer goes.  Source: GIF89a.
    Raises UnusableImage: "truncated", "not_an_image" or "too_many_pixels".
    """
    try:
        return _Walk(content).stripped()
    except (IndexError, struct.error) as error:
        # Every read past the last byte lands here, as the trailer has not been met by then.
        raise truncated(_NAME) from error


class _Walk:
    """One pass over the blocks of a file; reads past its end raise IndexError or struct.error."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._spans: list[tuple[int, int]] = []
        self._control: int | None = None
        self._sub_blocks = 0
        self._frames = 0
        self._width, self._height = struct.unpack_from("<HH", content, 6)
        check_size(_NAME, self._width, self._height)

    def stripped(self) -> Stripped:
        content = self._content
        position = _SCREEN_END + _table(content[10])
        self._spans.append((0, position))
        for _ in range(MAX_PARTS):
            introducer = content[position]
            if introducer == _TRAILER:
                self._spans.append((position, position + 1))
                return self._finished()
            if introducer == _IMAGE:
                position = self._image(position)
            elif introducer == _EXTENSION:
                position = self._extension(position)
            else:
                raise malformed(_NAME, "a block is of no known kind")
        raise malformed(_NAME, f"it has more than {MAX_PARTS:,} blocks")

    def _finished(self) -> Stripped:
        if not self._frames:
            raise malformed(_NAME, "it holds no picture")
        kept = Pieces(self._content)
        for start, end in self._spans:
            kept.keep(start, end)
        return Stripped(kept.joined(), self._width, self._height, frames=self._frames)

    def _image(self, start: int) -> int:
        left, top, width, height, flags = struct.unpack_from("<HHHHB", self._content, start + 1)
        # Decoders grow the canvas to hold an image that reaches beyond it.
        check_size(_NAME, max(self._width, left + width), max(self._height, top + height))
        code_size = start + _DESCRIPTOR + _table(flags)
        end = self._after_sub_blocks(code_size + 1)
        self._spans.append((start, end))
        self._frames += 1
        self._control = None
        return end

    def _extension(self, start: int) -> int:
        end = self._after_sub_blocks(start + 2)
        if _CONTROL.fullmatch(self._content, start, end):
            self._control = len(self._spans)
            self._spans.append((start, end))
        elif _LOOP.fullmatch(self._content, start, end):
            self._spans.append((start, end))
        elif self._content[start + 1] == _PLAIN_TEXT and self._control is not None:
            # The control before a text belongs to it, and would otherwise fall to the next image.
            del self._spans[self._control]
            self._control = None
        return end

    def _after_sub_blocks(self, position: int) -> int:
        content = self._content
        while size := content[position]:
            position += size + 1
            self._sub_blocks += 1
            if self._sub_blocks > _MAX_SUB_BLOCKS:
                raise malformed(_NAME, f"it has more than {_MAX_SUB_BLOCKS:,} sub-blocks")
        return position + 1


def _table(flags: int) -> int:
    return 3 << ((flags & _TABLE_BITS) + 1) if flags & _HAS_TABLE else 0

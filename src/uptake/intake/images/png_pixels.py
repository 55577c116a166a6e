"""Inflates the pixels of a PNG picture, and verifies that they are complete."""

import zlib
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from uptake.intake.images.stripped import malformed, truncated

_NAME: Final = "PNG"

# PNG 3rd edition 11.2.1: channels of a colour type, and the depths it allows.
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS: Final = {
    0: (1, 2, 4, 8, 16),
    2: (8, 16),
    3: (1, 2, 4, 8),
    4: (8, 16),
    6: (8, 16),
}

# 8.1: first column and row of each of the seven passes, and the distance of its columns and rows.
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

# RFC 1950, 2.2: two bytes before the data, four after them.
_HEAD: Final = 2
_METHOD: Final = 8
_DICTIONARY: Final = 0x20

# Bytes that are inflated at once; zlib copies unused input.
_INPUT: Final = 64 * 1024
_OUTPUT: Final = 1024 * 1024

# Excess pixels are rare and this is twice as fast as zlib's default.
_LEVEL: Final = 3


class Layout(NamedTuple):
    """The format of a picture's pixels."""

    width: int
    height: int
    depth: int
    colour: int
    is_interlaced: bool

    @property
    def is_valid(self) -> bool:
        """Whether PNG has this combination of depth and colour type."""
        return self.depth in _DEPTHS.get(self.colour, ())

    @property
    def raw_bytes(self) -> int:
        """Bytes of all rows, including their filter types (PNG 3rd edition, 7.2)."""
        if not self.is_interlaced:
            return self._rows(self.width, self.height)
        return sum(
            self._rows(-(-(self.width - left) // across), -(-(self.height - top) // down))
            for left, top, across, down in _PASSES
        )

    def _rows(self, width: int, height: int) -> int:
        if width <= 0 or height <= 0:
            return 0
        return height * (1 + -(-width * _CHANNELS[self.colour] * self.depth // 8))


class Pixels:
    """The compressed pixels of a picture, or of a frame of an animation.

    Args:
        layout: of this picture.
        is_default: whether they are in IDAT chunks.
        control: the fcTL chunk of a frame.

    Attributes:
        parts: the data of its chunks, in order.
    """

    def __init__(self, layout: Layout, *, is_default: bool, control: bytes | None) -> None:
        self.is_default = is_default
        self.control = control
        self.parts: list[memoryview] = []
        self.raw_bytes = layout.raw_bytes

    def verified(self) -> list[bytes | memoryview]:
        """The data of the chunks, one for each part, without extraneous bytes.

        Raises UnusableImage: "truncated", "not_an_image".
        """
        inflater = _Inflater(self.parts)
        size, checksum = 0, 1
        for raw in inflater.read():
            if size + len(raw) > self.raw_bytes:
                return [self._recompressed()]
            size += len(raw)
            checksum = zlib.adler32(raw, checksum)
        if size < self.raw_bytes:
            raise truncated(_NAME)
        if not inflater.is_finished:
            return [self._recompressed()]
        return _ending(self.parts, inflater.end, checksum.to_bytes(4))

    def _recompressed(self) -> bytes:
        """The pixels without excess ones."""
        left, checksum = self.raw_bytes, 1
        deflate = zlib.compressobj(_LEVEL)
        out = []
        for raw in _Inflater(self.parts).read():
            used = raw[:left]
            left -= len(used)
            checksum = zlib.adler32(used, checksum)
            out.append(deflate.compress(used))
            if not left:
                break
        return b"".join((*out, deflate.flush()))


class _Inflater:
    """Inflates a zlib stream in several parts, ignoring its checksum.

    Attributes:
        end: bytes of the stream up to its checksum, after all is read.
        is_finished: whether the stream has an end.
    """

    def __init__(self, parts: list[memoryview]) -> None:
        self._parts = parts
        self.end = 0
        self.is_finished = False

    def read(self) -> Iterator[bytes]:
        head = bytes(islice(chain.from_iterable(self._parts), _HEAD))
        if len(head) < _HEAD:
            raise truncated(_NAME)
        if head[0] & 15 != _METHOD or int.from_bytes(head) % 31 or head[1] & _DICTIONARY:
            raise malformed(_NAME, "its pixels are not compressed as they must be")
        inflate = zlib.decompressobj(wbits=-15)
        skip = _HEAD
        try:
            for part in self._parts:
                for start in range(min(skip, len(part)), len(part), _INPUT):
                    data: bytes | memoryview = part[start : start + _INPUT]
                    self.end = self.end + len(data)
                    while data and not inflate.eof:
                        if raw := inflate.decompress(data, _OUTPUT):
                            yield raw
                        data = inflate.unconsumed_tail
                    if inflate.eof:
                        self.end += _HEAD - len(inflate.unused_data)
                        self.is_finished = True
                        return
                skip -= min(skip, len(part))
            yield inflate.flush()
        except zlib.error as error:
            raise malformed(_NAME, "its pixels cannot be decompressed") from error


def _ending(parts: list[memoryview], end: int, checksum: bytes) -> list[bytes | memoryview]:
    """The parts up to byte `end`, and the checksum; the same parts if nothing changes."""
    whole = b"".join(parts)
    if whole[end:] == checksum:
        return list(parts)
    return [whole[:end] + checksum]

"""Encoded batches: their headers, and what can be read without decoding their columns."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from uptake.samples.times import Int64s

with suppress(ModuleNotFoundError):  # installations that only send do without it
    import zstandard

PLAIN, COMPRESSED = b"\x01", b"\x02"
"""The versions of the bytes (`columns` describes them)."""

HEADER_LENGTH = 4
NOT_DECIMAL = -1
_ALL = slice(None)

Scheme = tuple[list[int], list[int], list[int]]
"""The bases, scales and widths of rows."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The bytes of a batch with a decoded header and encoded columns."""

    planes: memoryview
    count: int
    devices: list[str]
    versions: list[str | None]
    first: int
    exponent: int
    base: list[int]
    scale: list[int]
    widths: list[int]

    @property
    def longest(self) -> int:
        """Ticks: no sample is longer; a cheap, close upper bound."""
        return max(self.base[1] + ((1 << 8 * self.widths[1]) - 1) * self.scale[1], 0)

    @property
    def until(self) -> int:
        """An instant in ticks at or after the end of every sample; a cheap, close upper bound.

        The samples must be sorted.
        """
        # Starts are differences, except for the first, which repeats the last difference.
        last = self.first + self.base[0] * (self.count - 1)
        for place in range(self.widths[0]):
            plane = np.frombuffer(self.planes, np.uint8, self.count, place * self.count)
            last += (int(plane[1:].sum()) << 8 * place) * self.scale[0]
        return last + self.longest

    def starts(self) -> Int64s:
        """The starts of the samples in ticks."""
        starts = np.empty(self.count, np.int64)
        self._decode([starts], _ALL)
        starts[0] = self.first
        np.cumsum(starts, out=starts)
        return starts

    def fill(self, numbers: Int64s, value: NDArray[np.float64], part: slice | None = None) -> None:
        """Decode the samples, or consecutive ones, into arrays; each row must be contiguous.

        The starts of consecutive ones are not decoded.
        """
        rows = (*numbers, value.view(np.int64))
        self._decode(rows, part or _ALL)
        if part is None:
            numbers[0, 0] = self.first
            np.cumsum(numbers[0], out=numbers[0])
        if self.exponent != NOT_DECIMAL:
            value[:] = rows[-1] / 10**self.exponent

    def _decode(self, rows: "list[Int64s] | tuple[Int64s, ...]", part: slice) -> None:
        scheme: Scheme = (self.base, self.scale, self.widths)
        from_planes(self.planes, self.count, scheme, rows, part)


def unpack(encoded: bytes) -> Packed:
    """Decode the header of the bytes of `to_bytes`.

    Raises:
        ValueError: the bytes have an unknown version.
    """
    version = encoded[:1]
    if version not in {PLAIN, COMPRESSED}:
        raise ValueError("sample columns of a newer version")
    frame = memoryview(encoded)[1:]
    if version == COMPRESSED:
        frame = decompressed(frame)
    at = HEADER_LENGTH + int.from_bytes(frame[:HEADER_LENGTH], "little")
    header = msgspec.msgpack.decode(frame[HEADER_LENGTH:at])
    return Packed(frame[at:], *header)


def from_planes(
    planes: memoryview, count: int, scheme: Scheme, rows: Sequence[Int64s], part: slice
) -> None:
    """Decode a part of the numbers of all rows into arrays of its length.

    Args:
        planes: the bytes of all rows.
        count: numbers in a row.
        scheme: of all rows.
        rows: the first ones are decoded, as many as there are; each must be contiguous.
        part: which numbers; consecutive ones.
    """
    at = 0
    # The scheme has as many rows as were encoded, and `rows` may be fewer.
    for row, base, scale, width in zip(rows, *scheme, strict=False):
        if width == 0:
            row.fill(base)
            continue
        plane = np.frombuffer(planes, np.uint8, count * width, at)
        if width > 1:
            cut = plane.reshape(width, -1)[:, part].T
            row[:] = np.ascontiguousarray(cut).view(f"<u{width}")[:, 0]
        else:
            row[:] = plane[part]
        if scale != 1:
            np.multiply(row, scale, out=row)
        if base:
            np.add(row, base, out=row)
        at += count * width


_local = threading.local()


def compressed(frame: bytes, level: int) -> bytes:
    """Compress a frame."""
    # A compressor is not thread-safe, and expensive to create.
    compressors: dict[int, zstandard.ZstdCompressor] = _local.__dict__.setdefault("compressors", {})
    if level not in compressors:
        compressors[level] = zstandard.ZstdCompressor(level=level)
    return compressors[level].compress(frame)


def decompressed(frame: bytes | memoryview) -> memoryview:
    """Decompress a frame."""
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _local.decompressor
    return memoryview(decompressor.decompress(frame))

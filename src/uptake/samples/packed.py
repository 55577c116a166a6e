"""Encoded batches: their headers, and what can be read without decoding their columns."""

import threading
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
    def until(self) -> int:
        """An instant in ticks at or after the end of every sample; a cheap, close upper bound."""
        # Starts are differences, except for the first, which repeats the last difference.
        last = self.first + self.base[0] * (self.count - 1)
        for place in range(self.widths[0]):
            plane = np.frombuffer(self.planes, np.uint8, self.count, place * self.count)
            last += (int(plane[1:].sum()) << 8 * place) * self.scale[0]
        longest = self.base[1] + ((1 << 8 * self.widths[1]) - 1) * self.scale[1]
        return last + max(longest, 0)

    def starts(self) -> Int64s:
        """The starts of the samples in ticks, sorted."""
        numbers = np.empty((len(self.widths) - 1, self.count), np.int64)
        self.fill(numbers, np.empty(self.count))
        starts: Int64s = numbers[0]
        return starts

    def fill(self, numbers: Int64s, value: NDArray[np.float64]) -> None:
        """Decodes the samples into arrays of their number; each row must be contiguous."""
        at = 0
        rows = (*numbers, value.view(np.int64))
        for number, (base, scale, width) in enumerate(
            zip(self.base, self.scale, self.widths, strict=True)
        ):
            row = rows[number]
            size = self.count * width
            if width == 0:
                row.fill(base)
                continue
            plane = np.frombuffer(self.planes, np.uint8, size, at)
            if width > 1:
                plane = np.ascontiguousarray(plane.reshape(width, -1).T).view(f"<u{width}")[:, 0]
            row[:] = plane
            if scale != 1:
                row *= scale
            if base:
                row += base
            at += size
        numbers[0, 0] = self.first
        np.cumsum(numbers[0], out=numbers[0])
        if self.exponent != NOT_DECIMAL:
            value[:] = rows[-1] / 10**self.exponent


def unpack(encoded: bytes) -> Packed:
    """Decodes the header of the bytes of `to_bytes`.

    Raises:
        ValueError: the bytes have an unknown version.
    """
    version = encoded[:1]
    if version not in {PLAIN, COMPRESSED}:
        raise ValueError("sample columns of a newer version")
    frame = memoryview(encoded)[1:]
    if version == COMPRESSED:
        frame = memoryview(_decompressor().decompress(frame))
    at = HEADER_LENGTH + int.from_bytes(frame[:HEADER_LENGTH], "little")
    header = msgspec.msgpack.decode(frame[HEADER_LENGTH:at])
    return Packed(frame[at:], *header)


_local = threading.local()


def _decompressor() -> "zstandard.ZstdDecompressor":
    # A decompressor is not thread-safe, and expensive to create.
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _local.decompressor
    return decompressor

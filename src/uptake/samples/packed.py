"""Encoded batches: their headers, and what can be read without decoding their columns."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

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

Scheme = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""The bases, scales and widths of rows."""


class Packed(msgspec.Struct, array_like=True, gc=False):
    """The bytes of a batch with a decoded header and encoded columns."""

    count: int
    devices: tuple[str, ...]
    versions: tuple[str | None, ...]
    first: int
    exponent: int
    base: tuple[int, ...]
    scale: tuple[int, ...]
    widths: tuple[int, ...]
    planes: bytes = b""

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

    def fill(self, numbers: Int64s, value: NDArray[np.float64], part: slice = _ALL) -> None:
        """Decode the samples, or consecutive ones, into arrays; each row must be contiguous.

        The starts of consecutive ones are not decoded.
        """
        rows = (*numbers, value.view(np.int64))
        self._decode(rows, part)
        if part is _ALL:
            numbers[0, 0] = self.first
            np.cumsum(numbers[0], out=numbers[0])
        if self.exponent != NOT_DECIMAL:
            value[:] = rows[-1] / 10**self.exponent

    def _decode(self, rows: "list[Int64s] | tuple[Int64s, ...]", part: slice) -> None:
        scheme: Scheme = (self.base, self.scale, self.widths)
        from_planes(self.planes, self.count, scheme, rows, part)


_decode_headers = msgspec.msgpack.Decoder(list[Packed]).decode
_ARRAY = b"\xdd"
"""What begins an array of msgpack; the number of its elements follows in four bytes."""


def unpack(encoded: bytes) -> Packed:
    """Decode the header of the bytes of `to_bytes`.

    Raises:
        ValueError: the bytes have an unknown version, or are damaged.
    """
    return unpack_all([encoded])[0]


def unpack_all(encoded: Sequence[bytes]) -> list[Packed]:
    """Decode the headers of many batches, which takes a small part of the time of one by one.

    Raises:
        ValueError: as `unpack`.
    """
    frames = list(map(_frame, encoded))
    ends = [HEADER_LENGTH + int.from_bytes(frame[:HEADER_LENGTH], "little") for frame in frames]
    headers = [frame[HEADER_LENGTH:end] for frame, end in zip(frames, ends, strict=True)]
    try:
        found = _decode_headers(b"".join([_ARRAY, len(frames).to_bytes(4, "big"), *headers]))
    except msgspec.MsgspecError as error:
        raise ValueError(f"damaged sample columns: {error}") from error
    for packed, frame, end in zip(found, frames, ends, strict=True):
        packed.planes = frame[end:]
    return found


def _frame(encoded: bytes) -> bytes:
    version = encoded[:1]
    if version == PLAIN:
        return encoded[1:]
    if version == COMPRESSED:
        return decompressed(encoded[1:])
    raise ValueError("sample columns of a newer version")


def fill_all(batches: Sequence[Packed], numbers: Int64s, value: NDArray[np.float64]) -> None:
    """Decode the samples of batches, one batch after the other, into arrays of their number.

    Batches with columns of the same widths are decoded together: however few samples a batch has,
    decoding it takes as long as decoding a thousand samples.
    """
    begins = list(accumulate((packed.count for packed in batches), initial=0))
    alike: dict[Any, list[int]] = {}
    for place, packed in enumerate(batches):
        alike.setdefault((packed.count, packed.exponent, packed.widths), []).append(place)
    for (count, _, _), places in alike.items():
        if len(places) == 1:
            (place,) = places
            inside = slice(begins[place], begins[place] + count)
            batches[place].fill(numbers[:, inside], value[inside])
            continue
        found = _tables([batches[place] for place in places])
        at = np.array([begins[place] for place in places])[:, np.newaxis] + np.arange(count)
        numbers[:, at] = found[:-1]
        exponent = batches[places[0]].exponent
        value[at] = (
            found[-1].view(np.float64) if exponent == NOT_DECIMAL else found[-1] / 10**exponent
        )


def _tables(batches: Sequence[Packed]) -> Int64s:
    """Decode batches with the same count and widths: their rows, of a row for each batch."""
    count, widths = batches[0].count, batches[0].widths
    planes = np.frombuffer(b"".join([packed.planes for packed in batches]), np.uint8)
    planes = planes.reshape(len(batches), -1)
    table = np.empty((len(widths), len(batches), count), np.int64)
    base, scale = (
        np.array([getattr(packed, name) for packed in batches], np.int64).T[:, :, np.newaxis]
        for name in ("base", "scale")
    )
    at = 0
    for row, width in enumerate(widths):
        if width:
            plane = planes[:, at : at + count * width].reshape(-1, width, count).transpose(0, 2, 1)
            table[row] = np.ascontiguousarray(plane).view(f"<u{width}")[:, :, 0]
            table[row] *= scale[row]
            table[row] += base[row]
            at += count * width
        else:
            table[row] = base[row]
    table[0, :, 0] = [packed.first for packed in batches]
    np.cumsum(table[0], axis=1, out=table[0])
    return table


def from_planes(
    planes: bytes, count: int, scheme: Scheme, rows: Sequence[Int64s], part: slice
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


def decompressed(frame: bytes) -> bytes:
    """Decompress a frame.

    Raises:
        ValueError: the frame is damaged.
    """
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _local.decompressor
    try:
        return decompressor.decompress(frame)
    except zstandard.ZstdError as error:
        raise ValueError(f"damaged compression: {error}") from error

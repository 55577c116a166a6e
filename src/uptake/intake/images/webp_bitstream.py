"""Decodes the compressed pictures of a WebP file to find how many bytes they need."""

import io
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from PIL import Image

from uptake.intake.images.stripped import UnusableImage, malformed, truncated

_NAME: Final = "WebP"
LOSSY, LOSSLESS, ALPHA = b"VP8 ", b"VP8L", b"ALPH"

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

_WITH_ALPHA: Final = 0x10


def chunk_bytes(kind: bytes, body: bytes) -> bytes:
    """A RIFF chunk, padded to an even length."""
    return b"".join((kind, len(body).to_bytes(4, "little"), body, b"\0" * (len(body) % 2)))


def verified(
    alpha: bytes, kind: bytes, bitstream: bytes, width: int, height: int
) -> tuple[bytes, bytes]:
    """An alpha channel, which may be empty, and a bitstream, each without extraneous bytes.

    A valid picture is decoded once unchanged, and once for each part without its last bytes, which
    must fail.
    Raises UnusableImage: "truncated" or "not_an_image".
    """
    if kind == LOSSLESS:
        alpha = b""
    elif alpha:
        alpha = bytes((alpha[0] & _USED_BITS,)) + alpha[1:]
        if not alpha[0] & _COMPRESSION:
            alpha = alpha[: 1 + width * height]

    def decodes(alpha: bytes, bitstream: bytes) -> bool:
        return _decodes(alpha, kind, bitstream, width, height)

    if not decodes(alpha, bitstream):
        raise _broken(kind, bitstream)
    if alpha and alpha[0] & _COMPRESSION:
        size = _needed(len(alpha), lambda size: decodes(alpha[:size], bitstream))
        alpha = alpha[:size]
    # The end of the picture does not depend on its alpha channel.
    size = _needed(len(bitstream), lambda size: decodes(b"", bitstream[:size]))
    bitstream = bitstream[:size]
    if kind == LOSSY:
        first = int.from_bytes(bitstream[:3], "little") >> _PARTITION_SHIFT
        size = _needed(first, lambda size: decodes(b"", _with_partition(bitstream, first, size)))
        bitstream = _with_partition(bitstream, first, size)
    return alpha, bitstream


def _broken(kind: bytes, bitstream: bytes) -> UnusableImage:
    """The rejection of a bitstream that cannot be decoded, usually because it is cut off."""
    if kind == LOSSY and len(bitstream) < _LOSSY_HEADER:
        return malformed(_NAME, "its header cannot be read")
    return truncated(_NAME)


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


def _decodes(alpha: bytes, kind: bytes, bitstream: bytes, width: int, height: int) -> bool:
    chunks = [chunk_bytes(kind, bitstream)]
    if alpha:
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        canvas = chunk_bytes(b"VP8X", bytes((_WITH_ALPHA, 0, 0, 0)) + sides)
        chunks = [canvas, chunk_bytes(ALPHA, alpha), *chunks]
    body = b"".join(chunks)
    file = b"".join((b"RIFF", (len(body) + 4).to_bytes(4, "little"), b"WEBP", body))
    try:
        with Image.open(io.BytesIO(file), formats=("WEBP",)) as image:
            image.load()
    # Pillow raises whatever its parsers meet: OSError, SyntaxError, EOFError, ValueError...
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        return False
    return True

"""Draws the pictures that these tests upload."""

import io
import zlib
from random import Random
from typing import Any

from PIL import Image

_ORIENTATION, _MAKE, _GPS = 0x0112, 0x010F, 0x8825
SECRET = b"48.8584N-2.2945E-secret"
"""Is in for everything private."""


def drawn(width: int = 8, height: int = 4) -> Image.Image:
    """A red picture with a blue quarter at the top left."""
    picture = Image.new("RGB", (width, height), (220, 20, 20))
    picture.paste((20, 20, 220), (0, 0, width // 2, height // 2))
    return picture


def encoded(kind: str, width: int = 8, height: int = 4, **options: Any) -> bytes:
    """The file of a drawn picture."""
    out = io.BytesIO()
    drawn(width, height).save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF data with a place, the secret and an orientation."""
    data = Image.Exif()
    data[_ORIENTATION] = orientation
    data[_MAKE] = SECRET.decode()
    data.get_ifd(_GPS)[1] = "N"
    data.get_ifd(_GPS)[2] = (48.0, 51.0, 30.0)
    return data


def png_of(size: int, text: bytes = b"") -> bytes:
    """A PNG file of exactly so many bytes: a comment fills it up."""
    body = b"Comment\0" + text.ljust(size - len(PNG) - 12 - len("Comment\0"), b"x")
    return PNG[:-12] + _chunk(b"tEXt", body) + PNG[-12:]


def noise(size: int) -> bytes:
    """A PNG file of exactly so many bytes that stays as it is; no part of it is like another.

    One row of gray pixels, in blocks that deflate stores uncompressed.
    """
    largest, spent = 65_535, len(PNG[:8]) + 3 * 12 + 13 + 2 + 4
    blocks = -(-(size - spent) // (largest + 5))
    row = b"\0" + Random(size).randbytes(size - spent - 5 * blocks - 1)
    data = b"\x78\x01"
    for number in range(blocks):
        part = row[number * largest : (number + 1) * largest]
        length = len(part).to_bytes(2, "little")
        opposite = (len(part) ^ 0xFFFF).to_bytes(2, "little")
        data += bytes((number == blocks - 1,)) + length + opposite + part
    header = (len(row) - 1).to_bytes(4) + b"\0\0\0\1\x08\0\0\0\0"
    data += zlib.adler32(row).to_bytes(4)
    return PNG[:8] + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def opened(content: bytes) -> Image.Image:
    """The picture of a file, decoded."""
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


PNG = encoded("PNG")

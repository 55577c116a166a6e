"""Draws the pictures of these tests and writes into them what must not come out again."""

import io
import zlib
from typing import Any

from PIL import Image, ImageChops, ImageStat

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")

# Represents all private data; no drawn picture has these bytes by chance.
SECRET = b"48.8584N-2.2945E-secret"
_ORIENTATION = 0x0112
_GPS = 0x8825
_MAKE = 0x010F


def drawn(width: int = 96, height: int = 64) -> Image.Image:
    """A picture with four different corners, so that every turn of it looks different."""
    picture = Image.new("RGB", (width, height), (200, 30, 30))
    picture.paste((30, 200, 30), (width // 2, 0, width, height // 2))
    picture.paste((30, 30, 200), (0, height // 2, width // 2, height))
    picture.paste((240, 240, 240), (width // 2, height // 2, width, height))
    return picture


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The file Pillow writes for `picture`."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def animated(kind: str, **options: Any) -> bytes:
    """An animation of three frames."""
    frames = [drawn(), drawn().rotate(90), drawn().rotate(180)]
    rest = frames[1:]
    return encoded(
        frames[0], kind, save_all=True, append_images=rest, duration=80, loop=0, **options
    )


def exif(orientation: int | None = None) -> Image.Exif:
    """EXIF data with a position, the secret as camera maker, and an orientation."""
    data = Image.Exif()
    data[_MAKE] = SECRET.decode()
    data.get_ifd(_GPS)[1] = "N"
    data.get_ifd(_GPS)[2] = (48.0, 51.0, 30.0)
    if orientation is not None:
        data[_ORIENTATION] = orientation
    return data


def opened(content: bytes) -> Image.Image:
    """The picture of a file, decoded."""
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def frame_count(content: bytes) -> int:
    """How many frames Pillow sees in a file."""
    return int(getattr(opened(content), "n_frames", 1))


def difference(one: Image.Image, other: Image.Image) -> float:
    """The largest mean difference, 0 to 255, among the channels of two pictures of one size."""
    assert one.size == other.size
    delta = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return float(max(ImageStat.Stat(delta).mean))


def segment(code: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return bytes((0xFF, code)) + (len(body) + 2).to_bytes(2) + body


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    checked = kind + data
    return len(data).to_bytes(4) + checked + zlib.crc32(checked).to_bytes(4)


def riff_chunk(kind: bytes, data: bytes) -> bytes:
    """A RIFF chunk, padded."""
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    """A WebP file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def extension(label: int, *blocks: bytes) -> bytes:
    """A GIF extension."""
    data = b"".join(bytes((len(block),)) + block for block in blocks)
    return bytes((0x21, label)) + data + b"\0"


def png_with(*chunks: bytes, source: bytes | None = None) -> bytes:
    """A PNG file with more chunks before its last one."""
    content = encoded(drawn(), "PNG") if source is None else source
    return content[:-12] + b"".join(chunks) + content[-12:]


def jpeg_with(*segments: bytes, source: bytes | None = None) -> bytes:
    """A JPEG file with more segments right after SOI."""
    content = encoded(drawn(), "JPEG") if source is None else source
    return content[:2] + b"".join(segments) + content[2:]

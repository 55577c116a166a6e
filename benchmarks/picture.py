"""A JPEG of about 1.5 MB, drawn once, with a gap of bytes that differ in each copy.

The gap is the end of the first quantisation table: any value from 1 to 255 is valid there, every
reader needs it to decode, and no cleaning of metadata may drop it. So each copy is a valid JPEG
(its finest detail a little stronger or weaker), and no server stores two copies as one image.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 2048, 1536
QUALITY = 90
WANTED_BYTES = 1_500_000
GAP_BYTES = 8
"""Of the 64 values of the table, the last in zigzag order: the finest detail."""

_SEED = 4
_TABLE_MARKER = b"\xff\xdb"
_TABLE_BYTES = 64
_TABLE_HEAD = 5
"""Marker, length, precision and number of the table."""
_SEARCH_STEPS = 7
_DIGITS = 200
_LOWEST = 20
"""Fills are digits from 20 to 219: never 0, which is no valid value, nor 255, a marker's start."""


def _encode(smooth: np.ndarray, grain: np.ndarray, strength: float) -> bytes:
    pixels = np.clip(smooth + grain * strength, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def draw() -> bytes:
    """Soft colours under film grain, just strong enough for the wanted size."""
    rng = np.random.default_rng(_SEED)
    small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    soft = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    smooth = np.asarray(soft, dtype=np.float32)
    grain = rng.standard_normal((HEIGHT, WIDTH, 3), dtype=np.float32)
    low, high = 0.0, 64.0
    best = b""
    for _ in range(_SEARCH_STEPS):
        strength = (low + high) / 2
        jpeg = _encode(smooth, grain, strength)
        if len(jpeg) > WANTED_BYTES:
            high = strength
        else:
            low, best = strength, jpeg
    return best


def jpeg_around_gap() -> tuple[bytes, bytes]:
    """The picture's bytes before and after the gap."""
    jpeg = draw()
    gap = jpeg.index(_TABLE_MARKER) + _TABLE_HEAD + _TABLE_BYTES - GAP_BYTES
    return jpeg[:gap], jpeg[gap + GAP_BYTES :]


def gap_fill(number: int) -> bytes:
    """The bytes of copy `number`."""
    digits = bytearray()
    for _ in range(GAP_BYTES):
        number, digit = divmod(number, _DIGITS)
        digits.append(_LOWEST + digit)
    return bytes(digits)

"""Small pictures, every one different, that hold nothing the server would take out."""

import struct
import zlib


def picture(number: int) -> bytes:
    """A PNG of 8 by 8 pixels that differs from that of every other number."""
    seed = number.to_bytes(24, "big")
    rows = b"".join(b"\0" + seed for _ in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    checked = kind + data
    return len(data).to_bytes(4) + checked + zlib.crc32(checked).to_bytes(4)

"""A stream of text made valid UTF-8, so that one bad byte does not end the reading of a table."""

import io

from uptake.uploader.sources.streams import BLOCK_BYTES, Readable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONGEST = 4
"""Bytes of a character in UTF-8 (RFC 3629)."""


class Utf8(io.RawIOBase):
    """The bytes of a stream, with a replacement character for each byte that is out of place.

    Attributes:
        mended: whether there was any so far: then a replacement character may mean one.
    """

    def __init__(self, stream: Readable) -> None:
        self.mended = False
        self._stream = stream
        self._ready = memoryview(b"")
        self._begun = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read as much as there is ready, or as a block of the stream makes ready."""
        while not self._ready:
            chunk = self._stream.read(BLOCK_BYTES) or b""
            if not chunk and not self._begun:
                return 0
            self._ready = memoryview(self._valid(self._begun + chunk, last=not chunk))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _valid(self, chunk: bytes, *, last: bool) -> bytes:
        self._begun = b""
        if chunk.isascii():
            return chunk
        if not last:
            whole = len(chunk) - _unfinished(chunk)
            chunk, self._begun = chunk[:whole], chunk[whole:]
        try:
            chunk.decode()
        except UnicodeDecodeError:
            self.mended = True
            return chunk.decode("utf-8", "replace").encode()
        return chunk


def _unfinished(chunk: bytes) -> int:
    """How many bytes at the end are the beginning of a character."""
    for count, byte in enumerate(reversed(chunk[1 - _LONGEST :]), 1):
        if byte & 0xC0 != 0x80:  # not a continuation: an ASCII character or a first byte
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return count if length > count else 0
    return 0

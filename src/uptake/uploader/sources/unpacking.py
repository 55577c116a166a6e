"""Decompresses what is gzip or zstd by its content, whatever its name."""

import io
from abc import abstractmethod
from typing import IO

import pyarrow as pa

from uptake.uploader.sources.streams import Readable

UNPACKED_BYTES = 64 * 1024
"""Decompressed in one step."""

CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed content begins, and the codec (RFC 1952, RFC 8878)."""

MAX_RATIO = 500
"""How many times its size compressed content may have: tables of equal rows stay below."""

UNSUSPICIOUS_BYTES = 1 << 30
"""Up to this size content may have any ratio."""

MAGIC_BYTES = max(map(len, CODECS))


def require_plausible(packed: int, content: int) -> None:
    """Make sure that content is no decompression bomb: it would be read, or spooled, for hours.

    Raises:
        OSError: it has too many times the size of what it was packed into.
    """
    if content > UNSUSPICIOUS_BYTES and content > MAX_RATIO * packed:
        raise OSError(None, f"the content has more than {MAX_RATIO} times the size of the file")


class RawStream(io.RawIOBase):
    """A raw stream whose content comes from `read`, which subclasses define."""

    def readable(self) -> bool:
        """Always."""
        return True

    @abstractmethod
    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer only at the end; all that are left for a negative size."""

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read into a buffer."""
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Counting(RawStream):
    """Counts what is read of compressed content."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Read, and count."""
        chunk = self._file.read(size) or b""
        self.count += len(chunk)
        return chunk


class Prefixed(RawStream):
    """Bytes that were read already, then the rest of the stream that they come from."""

    def __init__(self, head: bytes, rest: io.RawIOBase | IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        """Read; a block at once, as blocks of lines are as long as what is read."""
        if not self._head:
            return self._rest.read(size) or b""
        head, self._head = self._head, b""
        if 0 <= size < len(head):
            head, self._head = head[:size], head[size:]
            return head
        more = self._rest.read(size if size < 0 else size - len(head))
        return head + (more or b"")

    def close(self) -> None:
        """Close the stream too."""
        self._rest.close()
        super().close()


class Unpacked(io.RawIOBase):
    """Decompressed content; where it is damaged, everything before the damage comes first."""

    def __init__(self, file: io.RawIOBase, codec: str) -> None:
        self._file = file
        self._packed = _Counting(file)
        self._count = 0
        self._contents = pa.CompressedInputStream(pa.PythonFile(self._packed, "r"), codec)
        self._damage: OSError | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read in small steps, because a step that fails gives nothing."""
        count = 0
        while count < len(buffer) and self._damage is None:
            try:
                step = self._contents.read(min(UNPACKED_BYTES, len(buffer) - count))
                self._count += len(step)
                require_plausible(self._packed.count, self._count)
            except OSError as error:
                self._damage = error
                break
            if not step:
                break
            buffer[count : count + len(step)] = step
            count += len(step)
        if not count and self._damage is not None:
            raise self._damage
        return count

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def unpacked(raw: io.RawIOBase | IO[bytes]) -> io.RawIOBase:
    """A stream's content, decompressed if it begins as gzip or zstd does."""
    head = read_up_to(raw, MAGIC_BYTES)
    whole = Prefixed(head, raw)
    codec = codec_of(head)
    return whole if codec is None else Unpacked(whole, codec)


def codec_of(head: bytes) -> str | None:
    """The codec that the beginning of a stream shows; None when it is not compressed."""
    return next((codec for magic, codec in CODECS.items() if head.startswith(magic)), None)


def read_up_to(stream: Readable, count: int) -> bytes:
    """So many bytes of a stream, fewer only at its end."""
    parts, missing = [], count
    while missing and (chunk := stream.read(missing)):
        parts.append(chunk)
        missing -= len(chunk)
    return b"".join(parts)

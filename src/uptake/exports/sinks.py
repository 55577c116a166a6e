"""Where writers of files write to: bytes that are taken away as they come."""

import io
import zlib

import pyarrow as pa

from uptake.exports import Compression

GZIP_LEVEL = 6
_GZIP_WINDOW = 31
"""Of zlib: the largest window, in gzip's frame."""


class Sink(io.RawIOBase):
    """A file that can only be written to, and hands on what was written.

    Attributes:
        written: bytes so far.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._waiting = 0
        self.written = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Take bytes."""
        part = bytes(data)
        self._parts.append(part)
        self._waiting += len(part)
        self.written += len(part)
        return len(part)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.written

    @property
    def waiting(self) -> int:
        """Bytes that were not taken yet."""
        return self._waiting

    def take(self) -> bytes:
        """What was written since this was called last."""
        taken = b"".join(self._parts)
        self._parts.clear()
        self._waiting = 0
        return taken


class Squeezed:
    """Compresses what is written on its way to a sink."""

    def __init__(self, sink: Sink, compression: Compression) -> None:
        self._sink = sink
        self._gzip = None
        self._zstd = None
        if compression == "gzip":
            self._gzip = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)
        elif compression == "zstd":
            self._zstd = pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd")

    def write(self, data: bytes) -> None:
        """Take bytes."""
        if self._gzip is not None:
            self._sink.write(self._gzip.compress(data))
        elif self._zstd is not None:
            self._zstd.write(data)
        else:
            self._sink.write(data)

    def close(self) -> None:
        """Write what the compression held back."""
        if self._gzip is not None:
            self._sink.write(self._gzip.flush())
        elif self._zstd is not None:
            self._zstd.close()

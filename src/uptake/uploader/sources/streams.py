"""Files as streams of bytes, unpacked as they are read, and cut between lines."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from uptake.uploader.sources import Unreadable
from uptake.uploader.sources.file_source import Progress

BLOCK_BYTES = 4 << 20
"""Read at a time: some ten thousand samples, the size of what sources yield."""

MAX_LINE_BYTES = 16 << 20
"""Four times what any endpoint takes as a JSON body; longer lines are no items."""

COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
"""Suffix to codec."""

BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most that many bytes; none at the end."""


class Counted(io.RawIOBase):
    """A file that counts what is read from it."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._file = path.open("rb", buffering=0)
        self._progress = progress

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, which archives need."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on reading elsewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where reading goes on."""
        return self._file.tell()

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read, and count."""
        count = self._file.readinto(buffer) or 0
        self._progress.position += count
        return count

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()


def plain_suffix(path: Path) -> str:
    """The suffix that says what is inside, in lower case: `.csv` for `steps.csv.gz`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in COMPRESSIONS else suffix


def unpacked(path: Path, progress: Progress) -> pa.NativeFile:
    """A file's contents, decompressed when its suffix says that they are compressed.

    Raises:
        OSError: it cannot be opened.
    """
    file = pa.PythonFile(Counted(path, progress), "r")
    codec = COMPRESSIONS.get(path.suffix.lower())
    return file if codec is None else pa.CompressedInputStream(file, codec)


def line_blocks(stream: Readable, file: str) -> Iterator[tuple[int, bytes] | Unreadable]:
    """Blocks of whole lines, each with the number of its first; a byte order mark is left out.

    Lines of more than `MAX_LINE_BYTES` come as `Unreadable`.
    """
    line, rest, skipping = 1, b"", False
    first = True
    while chunk := stream.read(BLOCK_BYTES):
        if first:
            chunk = chunk.removeprefix(BOM)
            first = False
        if skipping:
            end = chunk.find(b"\n") + 1
            if not end:
                continue
            chunk, skipping, line = chunk[end:], False, line + 1
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = b"".join((rest, memoryview(chunk)[:cut]))
            rest = chunk[cut:]
            yield line, block
            line += block.count(b"\n")
        else:
            rest += chunk
        if len(rest) > MAX_LINE_BYTES:
            yield Unreadable(file, line, f"the line has more than {MAX_LINE_BYTES >> 20} MiB")
            rest, skipping = b"", True
    if rest:
        yield line, rest

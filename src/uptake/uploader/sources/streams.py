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

UNPACKED_BYTES = 64 * 1024
"""Unpacked in one step."""

COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
"""Suffix to codec."""

BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes | None:
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

    def read(self, size: int = -1, /) -> bytes:
        """Read, and count; without the copies that the inherited one makes."""
        chunk = self._file.read(size)
        self._progress.position += len(chunk)
        return chunk

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read, and count."""
        count = self._file.readinto(buffer)
        self._progress.position += count
        return count

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()


class Unpacked(io.RawIOBase):
    """The contents of a compressed file; where it is damaged, what is before that comes first."""

    def __init__(self, file: Counted, codec: str) -> None:
        self._file = file
        self._contents = pa.CompressedInputStream(pa.PythonFile(file, "r"), codec)
        self._damage: OSError | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read in small steps, as a step that fails gives nothing."""
        count = 0
        while count < len(buffer) and self._damage is None:
            try:
                step = self._contents.read(min(UNPACKED_BYTES, len(buffer) - count))
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
        """Let go of the file."""
        self._file.close()
        super().close()


def plain_suffix(path: Path) -> str:
    """The suffix that says what is inside, in lower case: `.csv` for `steps.csv.gz`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in COMPRESSIONS else suffix


def unpacked(path: Path, progress: Progress) -> io.RawIOBase:
    """A file's contents, decompressed when its suffix says that they are compressed.

    Raises:
        OSError: it cannot be opened.
    """
    file = Counted(path, progress)
    codec = COMPRESSIONS.get(path.suffix.lower())
    return file if codec is None else Unpacked(file, codec)


def peeked(path: Path, size: int) -> bytes:
    """How a file begins; nothing when it cannot be unpacked, which its reading will tell.

    Raises:
        OSError: it cannot be opened.
    """
    with unpacked(path, Progress()) as stream:
        try:
            return stream.read(size) or b""
        except OSError:
            if isinstance(stream, Unpacked):
                return b""
            raise


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

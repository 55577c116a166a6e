"""Files that are there whole or not at all: written under another name, then renamed."""

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from uptake.model import ids


class Hashed(io.RawIOBase):
    """A file that is written from the beginning to the end, and known by its digest.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb")
        self._sha256 = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Write all of it."""
        self._file.write(data)
        self._sha256.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.size

    def close(self) -> None:
        """Have it on the disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        super().close()


@contextmanager
def whole(destination: Path) -> Iterator[Path]:
    """Where to make a file or folder that becomes `destination` when the block ends well.

    It replaces a file that is there. What an interrupted program leaves behind begins with a dot
    and ends with `.part`.

    Raises:
        OSError: it cannot be made, or a folder that is there is not empty.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    making = destination.parent / f".{destination.name}.{ids.new_token()[:8]}.part"
    try:
        yield making
        making.rename(destination)
        _sync(destination.parent)
    except BaseException:
        if making.is_dir():
            shutil.rmtree(making)
        else:
            making.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""A file as a source: its name, its size, how much of it is read, and what breaks it off."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa

from uptake.uploader.sources import Unreadable

Item = TypeVar("Item")

BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, pa.ArrowInvalid)
"""What is raised when a file ends, or turns out damaged, while it is read."""


class Progress:
    """How many bytes of a file were read."""

    position: int = 0


class FileSource(Generic[Item]):
    """A `Source` of one file, or of a folder of them.

    Attributes:
        file: its path, as it was given.
        size: its bytes on disk.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Progress], Iterator[Item | Unreadable]],
        size: int | None = None,
    ) -> None:
        self.file = str(path)
        self.size = path.stat().st_size if size is None else size
        self._read = read
        self._progress = Progress()

    @property
    def position(self) -> int:
        """Bytes read of the iteration that was begun last."""
        return min(self._progress.position, self.size)

    def __call__(self) -> Iterator[Item | Unreadable]:
        """Read it from the beginning; a file that breaks off is told as its last item."""
        self._progress = Progress()
        return until_broken(self._read(self._progress), self.file)


def until_broken(
    found: Iterator[Item | Unreadable], file: str, broken: tuple[type[BaseException], ...] = BROKEN
) -> Iterator[Item | Unreadable]:
    """What is found in a file, and that it cannot be read any further when one of these is raised.

    The line told is 0, as it is the file that is damaged.
    """
    try:
        yield from found
    except broken as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        yield Unreadable(file, 0, f"cannot be read any further: {reason}")

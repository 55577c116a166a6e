"""A file as a source: its name, its size, how much of it is read, and what breaks it off."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import pyarrow as pa

from uptake.uploader.sources import Skipped, Source, Unreadable

Item = TypeVar("Item")

BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, pa.ArrowInvalid)
"""What is raised when a file ends, or turns out damaged, while it is read."""


class Progress:
    """How many bytes of a file were read."""

    position: int = 0


class FileSource(Generic[Item]):
    """A `Source` of one file, or of a folder of them.

    Attributes:
        file: its name in reports.
        size: its bytes on disk.
    """

    def __init__(
        self,
        file: str,
        size: int,
        read: Callable[[Progress], Iterator[Item | Unreadable | Skipped]],
    ) -> None:
        self.file = file
        self.size = size
        self._read = read
        self._progress = Progress()

    @property
    def position(self) -> int:
        """Bytes read of the iteration that was begun last."""
        return min(self._progress.position, self.size)

    @property
    def parts(self) -> "Sequence[Source[Item]]":
        """Itself."""
        return (self,)

    def __call__(self) -> Iterator[Item | Unreadable | Skipped]:
        """Read it from the beginning; a file that breaks off is reported as its last item."""
        self._progress = Progress()
        return until_broken(self._read(self._progress), self.file)


class SourceChain(Generic[Item]):
    """Several sources, one after the other, such as the files of an archive."""

    def __init__(self, file: str, parts: "Sequence[Source[Item]]") -> None:
        self.file = file
        self.parts = parts

    @property
    def size(self) -> int:
        """The bytes of all."""
        return sum(part.size for part in self.parts)

    @property
    def position(self) -> int:
        """The bytes read of all."""
        return sum(part.position for part in self.parts)

    def __call__(self) -> Iterator[Item | Unreadable | Skipped]:
        """Read each from the beginning."""
        for part in self.parts:
            yield from part()


def single(found: Unreadable | Skipped) -> FileSource[Item]:
    """A source of a file in an archive that gives nothing but why it is left out."""
    return FileSource(found.file, 0, lambda _: iter((found,)))


def chained(file: str, parts: "Sequence[Source[Item]]") -> "Source[Item]":
    """Sources as one."""
    return parts[0] if len(parts) == 1 else SourceChain(file, parts)


def until_broken(
    found: Iterator[Item | Unreadable | Skipped],
    file: str,
    broken: tuple[type[BaseException], ...] = BROKEN,
) -> Iterator[Item | Unreadable | Skipped]:
    """What is found in a file, then that it cannot be read any further if one of these is raised.

    Its line is 0, as it is the file that is damaged.
    """
    try:
        yield from found
    except broken as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        yield Unreadable(file, 0, f"cannot be read any further: {reason}")

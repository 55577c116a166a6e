"""Files opened only below a given folder, and files written whole and durably.

Names of files come from data: from the cells of a table, from the list of a backup, or from what a
folder holds. None of them may make a program read a file that the operator did not offer, or wait
for a pipe.
"""

import hashlib
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""`O_NONBLOCK`: opening a pipe that took the place of the file at the last moment does not wait."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class CannotOpen(Exception):
    """The file is not opened; the message is the reason, without the file's name."""


def open_below(root: Path, path: Path) -> IO[bytes]:
    """Open a regular file below a folder.

    Symbolic links are followed if they lead to a place below the folder. The file is then opened
    folder by folder without following any, so replacing one by a link in between has no effect.

    Args:
        root: the folder.
        path: the file, absolute or relative to the working directory.

    Raises:
        CannotOpen: there is no such file, it is not a regular file below the folder, or it may not
            be read.
    """
    try:
        top = root.resolve(strict=True)
        found = path.resolve(strict=True)
        if not found.is_relative_to(top) or found == top:
            raise CannotOpen(f"is not below the folder {root}")
        return os.fdopen(_open(top, found.relative_to(top).parts), "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise CannotOpen("does not exist") from None
    except PermissionError:
        raise CannotOpen("may not be read") from None
    except (OSError, RuntimeError, ValueError) as error:
        # A loop of links is a RuntimeError before Python 3.13, a NUL in a name a ValueError.
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotOpen(f"cannot be opened: {reason}") from None


def _open(top: Path, parts: tuple[str, ...]) -> int:
    folder = os.open(top, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        _require_regular(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False))
        file = os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        _require_regular(os.fstat(file))
    except CannotOpen:
        os.close(file)
        raise
    return file


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise CannotOpen(f"is {kind}")


def read_below(root: Path, path: Path, limit: int) -> tuple[int, bytes]:
    """Read a file as `open_below` opens it: its size, and its content unless that is over a limit.

    Of a larger file only its first `limit` bytes are read.

    Raises:
        CannotOpen: as above, or it cannot be read.
    """
    with open_below(root, path) as file:
        try:
            content = file.read(limit + 1)
            size = max(os.fstat(file.fileno()).st_size, len(content))
        except OSError as error:
            raise CannotOpen(f"cannot be read: {error.strerror or error}") from None
    return size, content[:limit]


def files_below(root: Path, *, hidden: bool = False) -> list[Path]:
    """Everything below a folder but folders, in order of name; hidden files only on request.

    Links to folders are in the list and not followed.
    """

    def walk() -> Iterator[Path]:
        for place, folders, files in os.walk(root):
            folders[:] = [name for name in folders if hidden or not name.startswith(".")]
            links = [name for name in folders if (Path(place) / name).is_symlink()]
            found = [name for name in (*files, *links) if hidden or not name.startswith(".")]
            yield from (Path(place) / name for name in found)

    return sorted(walk())


class HashedFile(io.RawIOBase):
    """A new file that is written once from start to end, synced when closed.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb")
        self._sha256 = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Write all of `data`."""
        self._file.write(data)
        self._sha256.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self.size

    def close(self) -> None:
        """Flush the file to disk and close it."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        super().close()


@contextmanager
def atomic_write(destination: Path) -> Iterator[Path]:
    """Yield a temporary path; the file or folder made there becomes `destination` on success.

    It replaces an existing file. After a crash, a file may remain with a name that starts with
    a dot and ends with `.part`.

    Raises:
        OSError: it cannot be written, or `destination` is a folder that is not empty.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.parent / f".{destination.name}.{secrets.token_hex(4)}.part"
    try:
        yield temporary
        temporary.rename(destination)
        sync(destination.parent)
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)
        raise


def sync(path: Path, *, drop_cache: bool = False) -> None:
    """Flush a file's content, or the names in a folder, to disk.

    Args:
        path: file or folder.
        drop_cache: whether to drop the content from the page cache. Content that is rarely read
            again would evict content that is, and allocating memory for the next file is slower
            than writing it (measured).
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if drop_cache and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)

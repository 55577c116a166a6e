"""Copies blobs to the files of a backup and reads them back, several at a time."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from uptake.backup.manifest import BLOBS, Damaged
from uptake.blobs import Blobs, is_name
from uptake.files import CannotOpen, HashedFile, read_below, sync

LISTED = ("name", "bytes", "sha256")
"""Columns of the list of blobs."""

THREADS = 4
SHOWN_CHARACTERS = 100
"""Characters of an invalid name that are shown."""

WAITING = 8
"""Blobs in memory at a time; the largest have 20 MiB."""

Listed = tuple[str, int, str]
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_threads(work: Callable[[_In], _Out], things: Iterable[_In]) -> Iterator[_Out]:
    """Map `work` over things in threads, few at a time; results keep the order."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[_Out]] = deque()
        try:
            for thing in things:
                waiting.append(pool.submit(work, thing))
                if len(waiting) == WAITING:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class BlobCopies:
    """Copies blobs into a folder.

    Attributes:
        bytes: their total size.
        missing: names of blobs that do not exist.
    """

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder
        self.bytes = 0
        self.missing: list[str] = []

    def run(self, names: Iterable[str]) -> Iterator[Listed]:
        """Copy the blobs of these names, and yield each of them once."""
        for name, copied in in_threads(self._copy, names):
            if copied is None:
                continue
            if copied == _MISSING:
                self.missing.append(name)
                continue
            size, sha256 = copied
            self.bytes += size
            yield name, size, sha256

    def _copy(self, name: str) -> tuple[str, tuple[int, str] | None]:
        """Return name, and size and digest; None if another thread copies it."""
        path = file_of(self._folder, name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            file = HashedFile(path)
        except FileExistsError:
            return name, None
        with file:
            content = self._blobs.get(name)
            if content is None:
                path.unlink()
                return name, _MISSING
            file.write(content)
        return name, (file.size, file.sha256)

    def sync(self) -> None:
        """Flush the names of all copies to disk."""
        for folder, _, _ in os.walk(self._folder):
            sync(Path(folder))


_MISSING = (0, "")


def file_of(folder: Path, name: str) -> Path:
    """Return the path of a blob in the folder of a backup's blobs.

    Raises:
        Damaged: it is not a valid name of a blob.
    """
    if not is_name(name):
        raise Damaged(f"{BLOBS}: {name[:SHOWN_CHARACTERS]!r} is no name of a blob")
    return folder / name


def read_blob(folder: Path, listed: Listed) -> bytes:
    """Read a blob from the folder of a backup's blobs.

    Raises:
        Damaged: it is missing, or differs from the list.
    """
    name, size, sha256 = listed
    try:
        found, content = read_below(folder, file_of(folder, name), size)
    except CannotOpen as error:
        raise Damaged(f"blobs/{name} {error}") from None
    if found != size or hashlib.sha256(content).hexdigest() != sha256:
        raise Damaged(f"blobs/{name} is not what it was when the backup was made")
    return content

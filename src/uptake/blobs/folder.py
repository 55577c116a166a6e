"""Blobs as files in a folder, on disk when they are said to be."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from obstore.store import LocalStore

from uptake.blobs.base import BlobsUnavailable
from uptake.blobs.objects import ObjectBlobs
from uptake.files import sync

DISK_PARALLEL = 3
"""Calls at once: two keep a disk busy (measured), and more hold more images in memory."""


class FolderBlobs(ObjectBlobs):
    """The port `Blobs` over a folder, which exists."""

    parallel = DISK_PARALLEL

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalStore(folder, automatic_cleanup=True))
        self._folder = folder
        self._synced: set[Path] = set()

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob, in a file that is synced and whose folders are."""
        self._check_folder()
        super().put(name, content)
        try:
            self._sync(self._folder / name)
        except OSError as error:
            raise BlobsUnavailable(str(error)) from error

    def get(self, name: str) -> bytes | None:
        """A blob, or None when there is none of that name."""
        content = super().get(name)
        if content is None:
            self._check_folder()
        return content

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """A part of a file."""
        content = super().read(name, start, end)
        if content is None:
            self._check_folder()
        return content

    def delete(self, names: Sequence[str]) -> None:
        """Remove files, and folders that are empty then."""
        self._check_folder()
        paths = [self._folder / name for name in names]
        # Before: a folder that goes and comes back is to be synced again by whoever makes it.
        self._synced.difference_update(parent for path in paths for parent in path.parents)
        super().delete(names)
        try:
            for folder in {path.parent for path in paths}:
                self._sync_nearest(folder)
        except OSError as error:
            raise BlobsUnavailable(str(error)) from error

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with these characters."""
        self._check_folder()
        yield from super().names(prefix)

    def _check_folder(self) -> None:
        # Without it a read would find nothing, and a write make it anew, to be hidden by the real
        # one when that is back.
        if not self._folder.is_dir():
            raise BlobsUnavailable(f"{self._folder} has gone")

    def _sync(self, path: Path) -> None:
        """Have a file and its name on disk: obstore leaves that to the system."""
        sync(path, drop_cache=True)
        sync(path.parent)
        # Folders further up have changed only if this one is new, to this process at least.
        if path.parent not in self._synced:
            for folder in path.parent.parents:
                sync(folder)
                if folder == self._folder:
                    break
            self._synced.add(path.parent)

    def _sync_nearest(self, folder: Path) -> None:
        """Have on disk that a folder's files are gone, or the folder itself."""
        for place in (folder, *folder.parents):
            try:
                sync(place)
            except FileNotFoundError:
                continue
            return

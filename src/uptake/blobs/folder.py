"""Blobs as files in a folder, synced to disk."""

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
        """Store a blob, and sync its file and folders."""
        self._check_folder()
        super().put(name, content)
        try:
            self._sync(self._folder / name)
        except OSError as error:
            raise BlobsUnavailable(str(error)) from error

    def get(self, name: str) -> bytes | None:
        """See `Blobs.get`."""
        content = super().get(name)
        if content is None:
            self._check_folder()
        return content

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """See `Blobs.read`."""
        content = super().read(name, start, end)
        if content is None:
            self._check_folder()
        return content

    def delete(self, names: Sequence[str]) -> None:
        """Delete files, and folders that become empty."""
        self._check_folder()
        paths = [self._folder / name for name in names]
        # First: a folder that is deleted and created again must be synced again.
        self._synced.difference_update(parent for path in paths for parent in path.parents)
        super().delete(names)
        try:
            for folder in {path.parent for path in paths}:
                self._sync_nearest(folder)
        except OSError as error:
            raise BlobsUnavailable(str(error)) from error

    def names(self, prefix: str, before: int | None = None) -> Iterator[str]:
        """See `Blobs.names`."""
        self._check_folder()
        yield from super().names(prefix, before)

    def _check_folder(self) -> None:
        # Without its disk, a read would find nothing, and a write would create a folder that the
        # disk hides when it is mounted again.
        if not self._folder.is_dir():
            raise BlobsUnavailable(f"{self._folder} no longer exists")

    def _sync(self, path: Path) -> None:
        """Sync a file and its name, which obstore does not do."""
        sync(path, drop_cache=True)
        sync(path.parent)
        # The folders above change only if this one is new, at least to this process.
        if path.parent not in self._synced:
            for folder in path.parent.parents:
                sync(folder)
                if folder == self._folder:
                    break
            self._synced.add(path.parent)

    def _sync_nearest(self, folder: Path) -> None:
        """Sync the nearest existing folder, from which files or folders were deleted."""
        for place in (folder, *folder.parents):
            try:
                sync(place)
            except FileNotFoundError:
                continue
            return

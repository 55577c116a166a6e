"""Bytes too large for a row, by name, on a folder or in an object store."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url


class BlobsUnavailable(Exception):
    """The blob store cannot be reached or written now. Try again."""


class BlobsUnusable(Exception):
    """The URL does not lead to a blob store."""


class Blobs:
    """Blobs by name; a name is a path of printable ASCII without empty parts."""

    def __init__(self, store: ObjectStore, folder: Path | None) -> None:
        self._store = store
        self._folder = folder
        self._synced: set[Path] = set()

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob; durable when it returns, and never seen in part.

        Raises:
            BlobsUnavailable: it was not kept.
        """
        self._check_folder()
        try:
            obstore.put(self._store, name, content)
            if self._folder is not None:
                self._sync(self._folder / name)
        except (BaseError, OSError) as error:
            raise BlobsUnavailable(str(error)) from error

    def get(self, name: str) -> bytes | None:
        """A blob, or None when there is none of that name.

        Raises:
            BlobsUnavailable: it cannot be read.
        """
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            self._check_folder()
            return None
        except (BaseError, OSError) as error:
            raise BlobsUnavailable(str(error)) from error

    def _check_folder(self) -> None:
        # Without it a read would find nothing, and a write make it anew, to be hidden by the real
        # one when that is back.
        if self._folder is not None and not self._folder.is_dir():
            raise BlobsUnavailable(f"{self._folder} has gone")

    def _sync(self, path: Path) -> None:
        """Have a file and its name on disk: obstore leaves that to the system."""
        _fsync(path, forget=True)
        _fsync(path.parent)
        # Folders further up have changed only if this one is new, to this process at least.
        if path.parent not in self._synced:
            for folder in path.parent.parents:
                _fsync(folder)
                if folder == self._folder:
                    break
            self._synced.add(path.parent)


def _fsync(path: Path, *, forget: bool = False) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        # What is written is rarely read soon. Kept in memory it would push out what is read often,
        # and finding new memory for the next one takes longer than writing it (measured).
        if forget and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def open_blobs(url: str) -> Blobs:
    """Open the store that a URL names: `file:///folder`, `s3://bucket/prefix` and others.

    Raises:
        BlobsUnusable: there is no such kind of store, or the folder cannot be made.
    """
    try:
        if urlsplit(url).scheme == "file":
            folder = Path(unquote(urlsplit(url).path)).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            return Blobs(LocalStore(folder, automatic_cleanup=True), folder)
        return Blobs(from_url(url), None)
    except (BaseError, OSError, ValueError) as error:
        raise BlobsUnusable(f"{url}: {error}") from error

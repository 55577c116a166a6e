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

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob; durable when it returns, and never seen in part.

        Raises:
            BlobsUnavailable: it was not kept.
        """
        try:
            obstore.put(self._store, name, content)
            if self._folder is not None:
                _sync(self._folder, name)
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
            return None
        except (BaseError, OSError) as error:
            raise BlobsUnavailable(str(error)) from error


def _sync(folder: Path, name: str) -> None:
    """Have a file and the folders that lead to it on disk: obstore leaves that to the system."""
    path = folder / name
    for part in (path, *path.parents):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if part == folder:
            break


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

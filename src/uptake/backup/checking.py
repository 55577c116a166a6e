"""Checks that a backup is whole, to the last byte."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from uptake.backup.blobfiles import Listed, in_threads, read_blob
from uptake.backup.manifest import (
    BLOB_LIST,
    BLOBS,
    TABLES,
    Damaged,
    Manifest,
    RowFile,
    read_manifest,
    table_file,
)
from uptake.backup.rowfile import read_rows
from uptake.backup.watching import Watcher

READ_BYTES = 1024 * 1024


def check(folder: Path, watcher: Watcher) -> Manifest:
    """Read all of a backup; what it holds.

    Raises:
        Damaged: something of it is missing or not as it was written.
        OSError: it cannot be read.
    """
    manifest = read_manifest(folder)
    watcher.begin("bytes checked", manifest.bytes)
    for name, file in manifest.tables.items():
        _check_file(table_file(folder, name), f"{TABLES}/{name}.rows", file, watcher.advance)
    _check_file(folder / BLOB_LIST, BLOB_LIST, manifest.blobs, watcher.advance)

    def size(blob: Listed) -> int:
        return len(read_blob(folder / BLOBS, blob))

    found = 0
    for count in in_threads(size, listed(folder, manifest)):
        found += count
        watcher.advance(count)
    if found != manifest.blob_bytes:
        raise Damaged(f"{BLOBS} have {found} bytes, not {manifest.blob_bytes}")
    return manifest


def listed(folder: Path, manifest: Manifest) -> Iterator[Listed]:
    """The blobs of a backup.

    Raises:
        Damaged: the list cannot be read.
    """
    for row in read_rows(folder / BLOB_LIST, manifest.blobs):
        name, size, sha256 = row
        yield name, size, sha256


def _check_file(path: Path, name: str, expected: RowFile, done: Callable[[int], None]) -> None:
    try:
        with path.open("rb") as file:
            summed, size = hashlib.sha256(), 0
            while part := file.read(READ_BYTES):
                summed.update(part)
                size += len(part)
                done(len(part))
    except FileNotFoundError:
        raise Damaged(f"{name} is not there") from None
    if size != expected.bytes or summed.hexdigest() != expected.sha256:
        raise Damaged(f"{name} is not what it was when the backup was made")

"""Checks a backup to the last byte, and restores it into an empty store of any engine."""

import hashlib
import re
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from uptake.backup.blobfiles import LISTED, Listed, file_of, in_threads, read_blob
from uptake.backup.manifest import (
    BLOB_LIST,
    BLOBS,
    MANIFEST,
    TABLES,
    Damaged,
    Manifest,
    RowFile,
    read_manifest,
    table_file,
)
from uptake.backup.ports import Contents, Progress
from uptake.backup.rowfile import read_rows
from uptake.blobs import Blobs, is_name
from uptake.files import CannotOpen, open_below
from uptake.store.contents import BLOB_COLUMNS, tables_of

READ_BYTES = 1024 * 1024
MAX_BLOB = 1024 * 1024 * 1024
"""Bytes of a blob; the largest that are written have 20 MiB."""

INTEGERS = range(-(1 << 63), 1 << 63)
"""Range of a database's integers."""

_SHA256 = re.compile("[0-9a-f]{64}")

Types = frozenset[type]


def restore(folder: Path, contents: Contents, blobs: Blobs, progress: Progress) -> Manifest:
    """Check a backup, then fill an empty store with it.

    Blobs are stored before the rows that refer to them are committed. All rows become visible
    together at the end, or none.

    Raises:
        Damaged: the backup is not complete.
        StoreUnusable: the store is not empty, or the backup is of a newer version.
        StoreUnavailable, BlobsUnavailable: the target cannot be written.
        OSError: the backup cannot be read.
    """
    contents.require_empty()
    manifest = check(folder, progress)

    def put(blob: Listed) -> None:
        blobs.put(blob[0], read_blob(folder / BLOBS, blob))

    progress.begin("blobs", manifest.blobs.rows)
    for _ in in_threads(put, listed(folder, manifest)):
        progress.advance(1)
    progress.begin("rows", manifest.rows)
    with contents.filling(manifest.revision) as filling:
        if set(manifest.tables) != filling.names:
            raise Damaged(f"{MANIFEST}: these are not the tables of {manifest.revision}")
        for name, file in manifest.tables.items():
            found = read_rows(folder, table_file(folder, name), file)
            filling.add(name, file.columns, found, progress.advance)
    return manifest


def check(folder: Path, progress: Progress) -> Manifest:
    """Read and verify all of a backup.

    Raises:
        Damaged: a part is missing, or is not as a server writes it.
        StoreUnusable: the backup is of a newer version.
        OSError: it cannot be read.
    """
    manifest = read_manifest(folder)
    tables = tables_of(manifest.revision)
    if set(manifest.tables) != set(tables):
        raise Damaged(f"{MANIFEST}: these are not the tables of {manifest.revision}")
    progress.begin("bytes checked", manifest.bytes)
    for name, file in manifest.tables.items():
        if sorted(file.columns) != sorted(tables[name]):
            raise Damaged(f"{name} has other columns in revision {manifest.revision}")
        path = table_file(folder, name)
        _check_file(folder, path, f"{TABLES}/{name}.rows", file, progress.advance)
        _check_rows(read_rows(folder, path, file), name, file, tables[name])
    _check_file(folder, folder / BLOB_LIST, BLOB_LIST, manifest.blobs, progress.advance)
    _check_blobs(folder, manifest, progress)
    return manifest


def _check_rows(
    rows: Iterator[list[Any]], name: str, file: RowFile, columns: dict[str, Types]
) -> None:
    types = [columns[column] for column in file.columns]
    blob = BLOB_COLUMNS.get(name)
    place = file.columns.index(blob) if blob in file.columns else None
    for number, row in enumerate(rows, 1):
        for column, value, expected in zip(file.columns, row, types, strict=True):
            fits = type(value) in expected
            if not fits or (type(value) is int and value not in INTEGERS):
                raise Damaged(f"{name}.rows: row {number} has no value that fits {column}")
        if place is not None and row[place] is not None and not is_name(row[place]):
            raise Damaged(f"{name}.rows: row {number} names a blob that cannot be one")


def _check_blobs(folder: Path, manifest: Manifest, progress: Progress) -> None:
    def size(blob: Listed) -> int:
        return len(read_blob(folder / BLOBS, blob))

    _check_names(folder, manifest)
    found = 0
    for count in in_threads(size, listed(folder, manifest)):
        found += count
        progress.advance(count)
    if found != manifest.blob_bytes:
        raise Damaged(f"{BLOBS} have {found} bytes, not {manifest.blob_bytes}")


def _check_names(folder: Path, manifest: Manifest) -> None:
    """Check that each blob is listed once, with only hashes of millions of names in memory."""
    hashes = np.array(array("q", (hash(name) for name, _, _ in listed(folder, manifest))))
    hashes.sort()
    repeated = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    seen = set()
    for name, _, _ in listed(folder, manifest) if repeated else ():
        if name in seen:
            raise Damaged(f"{BLOB_LIST}: {name!r} is listed twice")
        if hash(name) in repeated:
            seen.add(name)


def listed(folder: Path, manifest: Manifest) -> Iterator[Listed]:
    """Read the list of a backup's blobs.

    Raises:
        Damaged: the list cannot be read, or has an invalid entry.
    """
    if manifest.blobs.columns != LISTED:
        raise Damaged(f"{MANIFEST}: {BLOB_LIST} has other columns")
    for row in read_rows(folder, folder / BLOB_LIST, manifest.blobs):
        name, size, sha256 = row
        if not (
            isinstance(name, str)
            and type(size) is int
            and 0 <= size <= MAX_BLOB
            and isinstance(sha256, str)
            and _SHA256.fullmatch(sha256)
        ):
            raise Damaged(f"{BLOB_LIST}: an entry is not name, size and SHA-256")
        file_of(folder / BLOBS, name)
        yield name, size, sha256


def _check_file(
    folder: Path, path: Path, name: str, expected: RowFile, done: Callable[[int], None]
) -> None:
    try:
        with open_below(folder, path) as file:
            summed, size = hashlib.sha256(), 0
            while part := file.read(READ_BYTES):
                summed.update(part)
                size += len(part)
                done(len(part))
    except CannotOpen as error:
        raise Damaged(f"{name} {error}") from None
    if size != expected.bytes or summed.hexdigest() != expected.sha256:
        raise Damaged(f"{name} is not what it was when the backup was made")

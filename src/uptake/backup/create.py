"""Creates a backup while the server writes.

Rows are copied first, as they are at one moment, then the blobs that they refer to. A blob is
stored before the row that refers to it is committed, so it exists.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import uptake
from uptake.backup.blobfiles import LISTED, BlobCopies
from uptake.backup.manifest import (
    BLOB_LIST,
    BLOBS,
    FORMAT,
    TABLES,
    Manifest,
    RowFile,
    table_file,
    write_manifest,
)
from uptake.backup.ports import Contents, Progress, Row, Snapshot
from uptake.backup.rowfile import write_rows
from uptake.blobs import Blobs
from uptake.files import sync
from uptake.model import clock
from uptake.store.contents import BLOB_COLUMNS


class NotEmpty(Exception):
    """The folder is not empty."""


class Created(NamedTuple):
    """The result of a backup; `missing` has the names of blobs that rows refer to, but are lost."""

    manifest: Manifest
    missing: list[str]


def create(contents: Contents, blobs: Blobs, folder: Path, progress: Progress) -> Created:
    """Back up a store and its blobs into a new or empty folder.

    Raises:
        NotEmpty: the folder is not empty.
        StoreUnusable, StoreUnavailable, BlobsUnavailable: the data cannot be read.
        OSError: the folder cannot be written.
    """
    moment = clock.now()
    with _new_folder(folder), tempfile.TemporaryFile("w+") as names:
        with contents.snapshot() as snapshot:
            revision = snapshot.revision
            tables = _copy_rows(snapshot, folder, names, progress)
        copies = BlobCopies(blobs, folder / BLOBS)
        progress.begin("blobs", _count(names))
        copied = copies.run(line.rstrip("\n") for line in names)
        listed = write_rows(folder / BLOB_LIST, LISTED, copied, progress.advance)
        copies.sync()
        manifest = Manifest(
            format=FORMAT,
            uptake=uptake.__version__,
            created_at=clock.iso(moment),
            revision=revision,
            tables=tables,
            blobs=listed,
            blob_bytes=copies.bytes,
        )
        write_manifest(folder, manifest)
        missing = _still_missing(contents, copies.missing)
    return Created(manifest, missing)


def _still_missing(contents: Contents, names: list[str]) -> list[str]:
    """Filter out those that no row refers to any more, because their users have been erased."""
    if not names:
        return names
    with contents.snapshot() as snapshot:
        named = snapshot.still_named(set(names))
    return [name for name in names if name in named]


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Create a private folder, and remove it if the block fails."""
    new = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise NotEmpty(f"{folder} is not empty; a backup needs a new or an empty folder")
    try:
        for name in (TABLES, BLOBS):
            (folder / name).mkdir(mode=0o700)
        yield
    except BaseException:
        with suppress(OSError):
            _empty(folder)
            if new:
                folder.rmdir()
        raise


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _copy_rows(
    snapshot: Snapshot, folder: Path, names: IO[str], progress: Progress
) -> dict[str, RowFile]:
    """Copy each table to its file, and the names of blobs to `names`, one per line."""
    progress.begin("rows", None)
    tables = {}
    for name, columns in snapshot.tables.items():
        found = snapshot.rows(name)
        if name in BLOB_COLUMNS:
            found = _noting_names(found, columns.index(BLOB_COLUMNS[name]), names)
        path = table_file(folder, name)
        tables[name] = write_rows(path, columns, found, progress.advance)
    sync(folder / TABLES)
    return tables


def _noting_names(rows: Iterator[Row], column: int, names: IO[str]) -> Iterator[Row]:
    for row in rows:
        if row[column] is not None:
            names.write(f"{row[column]}\n")
        yield row


def _count(names: IO[str]) -> int:
    names.seek(0)
    count = sum(1 for _ in names)
    names.seek(0)
    return count

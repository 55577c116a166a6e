"""Takes a backup, while others go on writing.

Rows are copied first, as they are at one moment, then the blobs that they name: a blob is put
before the row that names it is committed, so each is there.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import uptake
from uptake.backup.blobfiles import LISTED, Collecting
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
from uptake.backup.rowfile import write_rows
from uptake.backup.watching import Watcher
from uptake.blobs import Blobs
from uptake.files import sync
from uptake.model import clock
from uptake.store.contents import BLOB_COLUMNS, Contents, Row, Snapshot


class NotEmpty(Exception):
    """The folder holds something already."""


class Taken:
    """A backup as it was taken.

    Attributes:
        manifest: what it holds.
        missing: names of blobs that rows name and that are not there.
    """

    def __init__(self, manifest: Manifest, missing: list[str]) -> None:
        self.manifest = manifest
        self.missing = missing


def take(contents: Contents, blobs: Blobs, folder: Path, watcher: Watcher) -> Taken:
    """Back up a store and its blobs into a new or empty folder.

    Raises:
        NotEmpty: the folder holds something already.
        StoreUnusable, StoreUnavailable, BlobsUnavailable: what is to be copied cannot be read.
        OSError: the folder cannot be written.
    """
    moment = clock.now()
    with _made(folder), tempfile.TemporaryFile("w+") as names:
        with contents.snapshot() as snapshot:
            revision = snapshot.revision
            tables = _copy_rows(snapshot, folder, names, watcher)
        collecting = Collecting(blobs, folder / BLOBS)
        watcher.begin("blobs", _count(names))
        copied = collecting.run(line.rstrip("\n") for line in names)
        listed = write_rows(folder / BLOB_LIST, LISTED, copied, watcher.advance)
        collecting.sync()
        manifest = Manifest(
            format=FORMAT,
            uptake=uptake.__version__,
            created_at=clock.iso(moment),
            revision=revision,
            tables=tables,
            blobs=listed,
            blob_bytes=collecting.bytes,
        )
        write_manifest(folder, manifest)
        missing = _still_missing(contents, collecting.missing)
    return Taken(manifest, missing)


def _still_missing(contents: Contents, names: list[str]) -> list[str]:
    """Without those that no row names any more: their users were erased in the meantime."""
    if not names:
        return names
    with contents.snapshot() as snapshot:
        named = snapshot.still_named(set(names))
    return [name for name in names if name in named]


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder for nobody else to read, removed again when the block fails."""
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
    snapshot: Snapshot, folder: Path, names: IO[str], watcher: Watcher
) -> dict[str, RowFile]:
    """Every table into its file; the names of blobs go to `names`, a line each."""
    watcher.begin("rows", None)
    tables = {}
    for name, columns in snapshot.tables.items():
        found = snapshot.rows(name)
        if name in BLOB_COLUMNS:
            found = _noting(found, columns.index(BLOB_COLUMNS[name]), names)
        path = table_file(folder, name)
        tables[name] = write_rows(path, columns, found, watcher.advance)
    sync(folder / TABLES)
    return tables


def _noting(rows: Iterator[Row], column: int, names: IO[str]) -> Iterator[Row]:
    for row in rows:
        if row[column] is not None:
            names.write(f"{row[column]}\n")
        yield row


def _count(names: IO[str]) -> int:
    names.seek(0)
    count = sum(1 for _ in names)
    names.seek(0)
    return count

"""Brings a backup back, into an empty store of any engine."""

from pathlib import Path

from uptake.backup.blobfiles import Listed, in_threads, read_blob
from uptake.backup.checking import check, listed
from uptake.backup.manifest import BLOBS, MANIFEST, Damaged, Manifest, table_file
from uptake.backup.rowfile import read_rows
from uptake.backup.watching import Watcher
from uptake.blobs import Blobs
from uptake.store.contents import Contents


def restore(folder: Path, contents: Contents, blobs: Blobs, watcher: Watcher) -> Manifest:
    """Fill an empty store with a backup, which is checked first; what it held.

    Blobs are put before the rows that name them are committed, as they are when they arrive. The
    rows become visible together at the end, or not at all.

    Raises:
        Damaged: the backup is not whole.
        StoreUnusable: the store is not empty, or the backup is of a newer version.
        StoreUnavailable, BlobsUnavailable: the target cannot be written.
        OSError: the backup cannot be read.
    """
    contents.require_empty()
    manifest = check(folder, watcher)

    def put(blob: Listed) -> None:
        blobs.put(blob[0], read_blob(folder / BLOBS, blob))

    watcher.begin("blobs", manifest.blobs.rows)
    for _ in in_threads(put, listed(folder, manifest)):
        watcher.advance(1)
    watcher.begin("rows", manifest.rows)
    with contents.filling(manifest.revision) as filling:
        if set(manifest.tables) != filling.names:
            raise Damaged(f"{MANIFEST}: these are not the tables of {manifest.revision}")
        for name, file in manifest.tables.items():
            found = read_rows(folder, table_file(folder, name), file)
            filling.add(name, file.columns, found, watcher.advance)
    return manifest

"""The manifest of a backup, with the checksums of its files."""

from pathlib import Path
from typing import Annotated

import msgspec

from uptake.files import CannotOpen, HashedFile, atomic_write, read_below, sync

FORMAT = 1
"""Version of the folder's format; others are rejected."""

MANIFEST = "manifest.json"
MAX_MANIFEST = 1024 * 1024
"""Bytes: it has a few lines for each table."""

BLOB_LIST = "blobs.rows"
BLOBS = "blobs"
TABLES = "tables"

Count = Annotated[int, msgspec.Meta(ge=0)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Damaged(Exception):
    """The folder is not a complete backup; the message names the place."""


class RowFile(msgspec.Struct, frozen=True):
    """A file of rows.

    Attributes:
        columns: names of a row's values.
        rows: their number.
        bytes, sha256: of the file; the digest in hexadecimal.
    """

    columns: tuple[str, ...]
    rows: Count
    bytes: Count
    sha256: Sha256


class Manifest(msgspec.Struct, frozen=True):
    """The content of a backup.

    Attributes:
        format: `FORMAT`.
        uptake: version of the program that made it.
        created_at: the moment of its rows, ISO 8601.
        revision: of the schema of its rows.
        tables: the file of each table, by its name.
        blobs: the file that lists the blobs.
        blob_bytes: total size of the blobs.
    """

    format: int
    uptake: str
    created_at: str
    revision: str
    tables: dict[str, RowFile]
    blobs: RowFile
    blob_bytes: Count

    @property
    def rows(self) -> int:
        """Number of rows in all tables."""
        return sum(file.rows for file in self.tables.values())

    @property
    def bytes(self) -> int:
        """Size of everything but the manifest."""
        return sum(file.bytes for file in [*self.tables.values(), self.blobs]) + self.blob_bytes


def table_file(folder: Path, name: str) -> Path:
    """Return the path of a table's rows."""
    return folder / TABLES / f"{name}.rows"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Mark a backup as complete: the manifest is written last, and durably."""
    with atomic_write(folder / MANIFEST) as temporary, HashedFile(temporary) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    sync(folder.parent)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the backup in a folder.

    Raises:
        Damaged: the folder has no complete backup, or one of another format.
    """
    try:
        size, content = read_below(folder, folder / MANIFEST, MAX_MANIFEST)
    except CannotOpen as error:
        if str(error) != "does not exist":
            raise Damaged(f"{folder}/{MANIFEST} {error}") from None
        raise Damaged(f"{folder} has no {MANIFEST}: no backup, or an unfinished one") from None
    if size > MAX_MANIFEST:
        raise Damaged(f"{MANIFEST} has {size:,} bytes: it is not a manifest")
    try:
        if msgspec.json.decode(content, type=_Form).format != FORMAT:
            raise Damaged(f"{folder} was made by a newer version of Uptake; use that one")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{MANIFEST}: {error}") from error
    if odd := [name for name in manifest.tables if not name.isidentifier()]:
        raise Damaged(f"{MANIFEST}: {odd[0]!r} is no table")
    return manifest


class _Form(msgspec.Struct):
    format: int

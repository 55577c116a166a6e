"""Apple Health exports: `export.xml` in any language, in its zip or folder or by itself.

Steps and heart rates become samples. The export names no user.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from uptake.uploader.sources import UnknownSource, Unreadable
from uptake.uploader.sources.apple_pieces import head_of, is_export, pieces, require_export
from uptake.uploader.sources.apple_records import Records
from uptake.uploader.sources.below import CannotOpen, read_below
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.streams import Counted, Readable, unpacked

PEEKED_BYTES = 64 * 1024
"""Of an XML file in an archive or folder, to see whether it is the export."""


def apple_health(path: Path, user: str | None) -> FileSource[pa.RecordBatch]:
    """A source of samples from `export.xml`, or from the `export.zip` that it came in.

    Raises:
        UnknownSource: it is no such export.
        OSError: it cannot be opened.
    """
    file = str(path)
    try:
        with _opened(path, Progress()) as stream:
            require_export(head_of(stream), file)
    except _DAMAGED as error:
        raise UnknownSource(f"{path}: the archive cannot be read: {error}") from error

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable]:
        records = Records(file, user)
        with _opened(path, progress) as stream:
            for piece in pieces(stream, file):
                if isinstance(piece, Unreadable):
                    yield piece
                else:
                    yield from records.read(*piece)

    return FileSource(path, read)


def export_in_folder(folder: Path) -> Path:
    """The export in a folder, as unpacking `export.zip` makes one.

    Raises:
        UnknownSource: there is none.
    """
    for path in sorted([*folder.glob("*.xml"), *folder.glob("*/*.xml")]):
        try:
            _, beginning = read_below(folder, path, PEEKED_BYTES)
        except CannotOpen:
            continue
        if is_export(beginning):
            return path
    raise UnknownSource(f"{folder}: a folder without an Apple Health export")


@contextmanager
def _opened(path: Path, progress: Progress) -> Iterator[Readable]:
    if not is_zip(path):
        with unpacked(path, progress) as stream:
            yield stream
        return
    with (
        Counted(path, progress) as packed,
        zipfile.ZipFile(packed) as archive,
        archive.open(_member(archive, path)) as stream,
    ):
        yield stream


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""What opening an archive raises that is damaged, encrypted or packed in an unusual way."""

_ZIP = b"PK\x03\x04"


def _member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """The export in an archive: it and its folder have names in the phone's language."""
    for member in archive.infolist():
        if member.filename.lower().endswith(".xml"):
            with archive.open(member) as stream:
                if is_export(stream.read(PEEKED_BYTES)):
                    return member
    names = ", ".join(archive.namelist()[:5]) or "nothing"
    raise UnknownSource(f"{path}: an archive without an Apple Health export; it has {names}")

"""Apple Health exports: `export.xml` in any language, in its zip or folder or by itself.

Steps and heart rates become samples. The export names no user. What is coerced: what `apple_names`
and `sample_times` state. Left out in silence are records of other types and the files of an export
beside `export.xml`, none of which are samples; rows of 0 steps are counted as skipped.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from uptake.files import CannotOpen, read_below
from uptake.uploader.sources import Skipped, UnknownSource, Unreadable
from uptake.uploader.sources.apple_pieces import PROLOG_BYTES, is_export, pieces, require_export
from uptake.uploader.sources.apple_records import Records
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.inputs import FileInput, Input
from uptake.uploader.sources.sample_columns import Defaults

PEEKED_BYTES = 64 * 1024
"""Of an XML file in an archive or folder, to see whether it is an export."""


def apple_health(source: Input, defaults: Defaults) -> FileSource[pa.RecordBatch]:
    """A source of samples from an `export.xml`.

    Raises:
        UnknownSource: it is no such export.
        OSError: it cannot be opened.
    """
    file = source.file
    require_export(source.peek(PROLOG_BYTES), file)

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        records = Records(file, defaults)
        with source.open(progress) as stream:
            for piece in pieces(stream, file):
                if isinstance(piece, Unreadable):
                    yield piece
                else:
                    yield from records.read(*piece)

    return FileSource(file, source.size, read)


def looks_like_export(source: Input) -> bool:
    """Whether a file in an archive begins as an Apple Health export does."""
    return source.name.lower().endswith(".xml") and is_export(source.peek(PEEKED_BYTES))


def exports_in_folder(folder: Path) -> list[Input]:
    """The exports in a folder, as unpacking `export.zip` makes one, in order of name.

    Raises:
        UnknownSource: there is none.
    """
    found: list[Input] = []
    for path in sorted([*folder.glob("*.xml"), *folder.glob("*/*.xml")]):
        try:
            _, beginning = read_below(folder, path, PEEKED_BYTES)
        except CannotOpen:
            continue
        if is_export(beginning):
            found.append(FileInput(path))
    if not found:
        raise UnknownSource(f"{folder}: a folder without an Apple Health export")
    return found

"""Apple Health exports: `export.xml` in any language, in its zip or folder or by itself.

Steps and heart rates become samples. The export has no user id. Names, units and times are
converted as `apple_names` and `sample_times` describe. Records of other types, and the other files
of an export, are ignored; rows of 0 steps are counted as skipped.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from uptake.files import CannotOpen, read_below
from uptake.uploader.sources import Progress, Skipped, Source, UnknownSource, Unreadable
from uptake.uploader.sources.apple_pieces import PROLOG_BYTES, is_export, pieces, require_export
from uptake.uploader.sources.apple_records import Records
from uptake.uploader.sources.inputs import FileInput, Input
from uptake.uploader.sources.options import FileOptions

PEEKED_BYTES = 64 * 1024
"""Of an XML file in an archive or folder, to see whether it is an export."""


def apple_health(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    """A source of samples from an `export.xml`.

    Raises:
        UnknownSource: it is no such export, or columns are mapped.
        OSError: it cannot be opened.
    """
    file = source.file
    if options.columns:
        raise UnknownSource(f"{file}: columns of an Apple Health export cannot be mapped")
    require_export(source.peek(PROLOG_BYTES), file)

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        records = Records(file, options)
        with source.open(progress) as stream:
            for piece in pieces(stream, file):
                if isinstance(piece, Unreadable):
                    yield piece
                else:
                    yield from records.read(*piece)

    return Source(file, source.size, read)


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

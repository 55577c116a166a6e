"""Opens paths as sources: files, folders, streams and zip archives, by what they contain."""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import pyarrow as pa

from uptake.uploader.sources import (
    DocumentItem,
    FileOptions,
    ImageItem,
    Item,
    ProfileRow,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
    chained,
    exports,
)
from uptake.uploader.sources.apple_health import apple_health, exports_in_folder, looks_like_export
from uptake.uploader.sources.documents import document_archive, document_file, document_folder
from uptake.uploader.sources.images import image_folder, image_table
from uptake.uploader.sources.inputs import (
    HIDDEN,
    Input,
    is_hidden,
    kind_of,
    members_of,
    readable,
)
from uptake.uploader.sources.pipes import StreamInput, input_of
from uptake.uploader.sources.rows import profile_rows
from uptake.uploader.sources.sample_lines import sample_lines
from uptake.uploader.sources.sample_tables import sample_table

TEXT = ("csv", "ndjson")
"""Kinds of files with rows of text, which are written to a file as they are if rejected."""

UTF8 = {
    "ndjson": ("JSON", "convert the file: iconv -f {} -t utf-8 FILE > items.ndjson"),
    "parquet": ("text in Parquet", "leave it out"),
    "xml": ("an Apple Health export", "leave it out"),
}
"""Kinds of files that have only one encoding, their names, and what to do about another one."""

NAMED = 5
"""Files of an archive that a message names."""


@dataclass(frozen=True, slots=True)
class Opener(Generic[Item]):
    """Opens sources of one kind of items.

    Attributes:
        items: their name.
        kinds: kinds of files that are read.
        file: opens a file of one of these kinds.
        archive: opens a zip archive; None if archives are not read.
        folder: opens a folder; None if folders are not read.
        export: the sources in a file that is an export of a device, an app or a service, which
            need not be of one of these kinds; None if no exports are read.
    """

    items: str
    kinds: tuple[str, ...]
    file: Callable[[Input, str, FileOptions], Source[Item]]
    archive: Callable[[Input, FileOptions], Source[Item]] | None = None
    folder: Callable[[Path, FileOptions], Source[Item]] | None = None
    export: Callable[[Input, FileOptions], Sequence[Source[Item]]] | None = None

    def __call__(self, path: Path, **options: Any) -> Source[Item]:
        """Open a file, a zip archive, a folder, or `-`, which is standard input.

        Args:
            path: what to open.
            options: those of `FileOptions`.

        Raises:
            UnknownSource: the path does not exist, nothing there can be read, or an option is not
                valid.
            Interrupted: a wait for a stream was stopped.
        """
        try:
            return self._open(path, FileOptions(**options))
        except FileNotFoundError as error:
            raise UnknownSource(f"{error.filename}: there is no such file or folder") from error
        except OSError as error:
            reason = error.strerror or error
            raise UnknownSource(f"{error.filename or path}: {reason}") from error

    def _open(self, path: Path, options: FileOptions) -> Source[Item]:
        if path.is_dir():
            if self.folder is None:
                raise UnknownSource(f"{path}: is a folder; {readable(self.items, self.kinds)}")
            return self.folder(path, options)
        source = input_of(path, options.stopped)
        if self.export is not None and (parts := self.export(source, options)):
            return chained(source.file, parts)
        kinds = self.kinds if self.archive is None else (*self.kinds, "zip")
        kind = kind_of(source, self.items, kinds)
        require_encoding_of_csv(source.file, kind, options)
        if options.reread and kind in TEXT and isinstance(source, StreamInput):
            source.keep_copy()
        if kind == "zip" and self.archive is not None:
            return self.archive(source, options)
        return self.file(source, kind, options)

    def members(self, archive: Input, options: FileOptions) -> Source[Item]:
        """The files in an archive, in order of name; those that cannot be read are reported.

        Raises:
            UnknownSource: none can be read.
        """
        parts: list[Source[Item]] = []
        faults: list[UnknownSource] = []
        members = members_of(archive)
        for member in members:
            if is_hidden(member.inside):
                parts.append(_single(Skipped(member.file, 1, HIDDEN, is_file=True)))
                continue
            try:
                kind = kind_of(member, self.items, self.kinds)
                require_encoding_of_csv(member.file, kind, options)
                parts.append(self.file(member, kind, options))
            except UnknownSource as error:
                faults.append(error)
                reason = str(error).removeprefix(f"{member.file}: ")
                parts.append(_single(Unreadable(member.file, 0, reason)))
            except OSError as error:
                parts.append(_single(Unreadable(member.file, 0, error.strerror or str(error))))
        if len(faults) == len(parts):
            if len(faults) == 1:
                raise faults[0]
            names = ", ".join(str(member.inside) for member in members[:NAMED]) or "nothing"
            raise UnknownSource(
                f"{archive.file}: an archive without {self.items} that can be read; it has {names}"
            )
        return chained(archive.file, parts)


def require_encoding_of_csv(file: str, kind: str, options: FileOptions) -> None:
    """Check that an encoding is not given for a file that has its own: JSON is UTF-8 (RFC 8259).

    Raises:
        UnknownSource: it is another one than UTF-8.
    """
    encoding = options.encoding
    if encoding is None or kind not in UTF8 or codecs.lookup(encoding).name == "utf-8":
        return
    name, action = UTF8[kind]
    raise UnknownSource(
        f"{file}: --encoding is for CSV, and {name} is UTF-8; {action.format(encoding)}"
    )


def _single(found: Unreadable | Skipped) -> Source[Item]:
    """A source that yields only why a file in an archive is left out."""
    return Source(found.file, 0, lambda _: iter((found,)))


def _sample_file(source: Input, kind: str, options: FileOptions) -> Source[pa.RecordBatch]:
    if kind == "xml":
        return apple_health(source, options)
    if kind == "ndjson":
        return sample_lines(source, options)
    return sample_table(source, kind, options)


def _sample_archive(archive: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    # Other files in the archive of an export (recordings, routes) have no samples.
    members = members_of(archive)
    apple = [apple_health(one, options) for one in members if looks_like_export(one)]
    parts = [*apple, *exports.in_archive(members, options)]
    return chained(archive.file, parts) if parts else samples.members(archive, options)


def _sample_folder(folder: Path, options: FileOptions) -> Source[pa.RecordBatch]:
    apple = [apple_health(one, options) for one in exports_in_folder(folder)]
    parts = [*apple, *exports.in_folder(folder, options)]
    if not parts:
        raise UnknownSource(f"{folder}: a folder without an export that can be read")
    return chained(str(folder), parts)


_TABLES = ("csv", "ndjson", "parquet")

samples: Opener[pa.RecordBatch] = Opener(
    "samples",
    ("xml", "ndjson", "csv", "parquet"),
    file=_sample_file,
    archive=_sample_archive,
    folder=_sample_folder,
    export=exports.in_file,
)
"""Samples from exports of devices and apps, NDJSON, CSV or Parquet."""


def _profile_archive(archive: Input, options: FileOptions) -> Source[ProfileRow]:
    return profiles.members(archive, options)


profiles: Opener[ProfileRow] = Opener(
    "profiles",
    _TABLES,
    file=profile_rows,
    archive=_profile_archive,
)
"""Profiles from CSV, NDJSON or Parquet: `user_id`, and an attribute in every other column."""

documents: Opener[DocumentItem] = Opener(
    "documents",
    ("ndjson",),
    file=lambda source, _, options: document_file(source, options),
    archive=document_archive,
    folder=document_folder,
)
"""Documents from NDJSON, a JSON file, or a folder or zip archive of such files."""

images: Opener[ImageItem] = Opener("images", _TABLES, file=image_table, folder=image_folder)
"""Images from a folder, or from a table of users and paths in CSV, NDJSON or Parquet."""

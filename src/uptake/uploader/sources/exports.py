"""Exports of devices, apps and services that are read as samples, each by a module of its own.

An export is recognised by the content of its files: in a zip archive, in a folder, or in one file
by itself. Other files of an archive or folder with an export are ignored.

A package outside of this one adds an export with an entry point of the group
`uptake.sample_exports`, which names a `SampleExport`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path, PurePath, PurePosixPath

import pyarrow as pa

from uptake.files import files_below
from uptake.plugins import installed
from uptake.uploader.sources import FileOptions, Source, UnknownSource, Unreadable
from uptake.uploader.sources.inputs import FileInput, Input, MemberInput, is_hidden

GROUP = "uptake.sample_exports"

HEAD_BYTES = 4096
"""Of each file that may belong to an export, to see whether it does."""

MODULES = (
    "health_connect",
    "google_fit",
    "fitbit",
    "samsung_health",
    "oura",
    "garmin_fit",
)
"""The exports of this package: modules with a `SampleExport` named `EXPORT`."""


@dataclass(frozen=True)
class ExportFile:
    """A file that may belong to an export.

    Attributes:
        source: its content.
        inside: its path in the archive or folder; its name if it is by itself.
    """

    source: Input
    inside: PurePath

    @property
    def head(self) -> bytes:
        """The beginning of its content; empty if it cannot be read."""
        return self._beginning[0]

    @property
    def fault(self) -> str:
        """Why it cannot be read; empty if its beginning can be."""
        return self._beginning[1]

    @cached_property
    def _beginning(self) -> tuple[bytes, str]:
        try:
            return self.source.peek(HEAD_BYTES), ""
        except OSError as error:
            return b"", error.strerror or str(error)


@dataclass(frozen=True, slots=True)
class SampleExport:
    """A form of exports.

    Attributes:
        name: for messages, such as "a Health Connect export".
        suffixes: of the files in an archive or folder that may belong to one, in lower case. A
            file by itself may have any name.
        open: the sources of its samples, one for each file that has some, in their order; none if
            the files are no such export. It looks at the content of files, not only at names.

    Raises:
        UnknownSource: they are such an export that cannot be read.
        OSError: a file cannot be read.
    """

    name: str
    suffixes: frozenset[str]
    open: Callable[[Sequence[ExportFile], FileOptions], Sequence[Source[pa.RecordBatch]]]


@cache
def _all() -> tuple[SampleExport, ...]:
    own = (import_module(f"uptake.uploader.sources.{name}").EXPORT for name in MODULES)
    return (*own, *installed(GROUP, "export", SampleExport, UnknownSource))


def in_file(source: Input, options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    """The sources of an export that is one file; none if it is not."""
    return _open([ExportFile(source, PurePosixPath(source.name))], options, by_suffix=False)


def in_archive(
    members: Sequence[MemberInput], options: FileOptions
) -> Sequence[Source[pa.RecordBatch]]:
    """The sources of the exports in a zip archive; none if there are none.

    If there are some, files that may belong to them and cannot be read are reported.
    """
    files = [ExportFile(one, one.inside) for one in members if not is_hidden(one.inside)]
    return _open(files, options, by_suffix=True)


def in_folder(folder: Path, options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    """The sources of the exports in a folder and those below it; none if there are none."""
    paths = [path for path in files_below(folder) if path.is_file()]
    files = [ExportFile(FileInput(path, folder), path.relative_to(folder)) for path in paths]
    return _open(files, options, by_suffix=True)


def _open(
    files: Sequence[ExportFile], options: FileOptions, *, by_suffix: bool
) -> Sequence[Source[pa.RecordBatch]]:
    if options.columns or options.delimiter or options.skip_rows or options.encoding:
        return []  # they describe the form of a table
    found: list[Source[pa.RecordBatch]] = []
    for export in _all():
        suited = [
            one for one in files if not by_suffix or one.inside.suffix.lower() in export.suffixes
        ]
        if suited:
            found += export.open(suited, options)
    if found:
        suffixes = frozenset[str]().union(*(export.suffixes for export in _all()))
        found += [
            _unreadable(one.source.file, one.fault)
            for one in files
            if one.inside.suffix.lower() in suffixes and one.fault
        ]
    return found


def _unreadable(file: str, reason: str) -> Source[pa.RecordBatch]:
    return Source(file, 0, lambda _: iter((Unreadable(file, 0, reason),)))

"""Opens paths as sources: files, folders, streams and zip archives, by what they contain."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, Unpack

import pyarrow as pa

from uptake.uploader.sources import (
    DocumentItem,
    ImageItem,
    ProfileRow,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
    chained,
)
from uptake.uploader.sources.apple_health import apple_health, exports_in_folder, looks_like_export
from uptake.uploader.sources.documents import document_archive, document_file, document_folder
from uptake.uploader.sources.file_kinds import kind_of, readable
from uptake.uploader.sources.images import image_folder, image_table
from uptake.uploader.sources.inputs import HIDDEN, Input, input_of, is_hidden, members_of
from uptake.uploader.sources.options import (
    FileOptions,
    ItemOptions,
    SampleOptions,
    TableOptions,
)
from uptake.uploader.sources.rows import profile_rows
from uptake.uploader.sources.sample_lines import sample_lines
from uptake.uploader.sources.sample_tables import sample_table

_TABLES = ("csv", "ndjson", "parquet")
_SAMPLES = ("xml", "ndjson", "csv", "parquet")
NAMED = 5
"""Files of an archive that a message names."""

_Arguments = ParamSpec("_Arguments")
_Opened = TypeVar("_Opened")
_Item = TypeVar("_Item")


def _reported(open_: Callable[_Arguments, _Opened]) -> Callable[_Arguments, _Opened]:
    """Raise errors of opening a file as `UnknownSource`."""

    @wraps(open_)
    def opened(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Opened:
        try:
            return open_(*args, **kwargs)
        except FileNotFoundError as error:
            raise UnknownSource(f"{error.filename}: there is no such file or folder") from error
        except OSError as error:
            raise UnknownSource(
                f"{error.filename or args[0]}: {error.strerror or error}"
            ) from error

    return opened


@_reported
def samples(path: Path, **options: Unpack[SampleOptions]) -> Source[pa.RecordBatch]:
    """Samples from Apple Health exports, NDJSON, CSV or Parquet.

    Args:
        path: a file, `-` for standard input, a zip archive of files, or a folder with Apple Health
            exports in it.
        options: what the files do not have.

    Raises:
        UnknownSource: the path does not exist, or nothing there can be read.
        Interrupted: a wait for a stream was stopped.
    """
    given = FileOptions(**options)

    def open_one(source: Input, kind: str) -> Source[pa.RecordBatch]:
        if kind == "xml":
            return apple_health(source, given)
        if kind == "ndjson":
            return sample_lines(source, given)
        return sample_table(source, kind, given)

    if path.is_dir():
        exports = exports_in_folder(path)
        return chained(str(path), [open_one(export, "xml") for export in exports])
    source = input_of(path, given.stopped)
    kind = kind_of(source, "samples", (*_SAMPLES, "zip"))
    if kind != "zip":
        return open_one(source, kind)
    # Other files in the archive of an export (recordings, routes) have no samples.
    members = [member for member in members_of(source) if looks_like_export(member)]
    if members:
        return chained(source.file, [open_one(export, "xml") for export in members])
    return _archive(source, "samples", _SAMPLES, open_one)


@_reported
def profiles(path: Path, **options: Unpack[TableOptions]) -> Source[ProfileRow]:
    """Profiles from CSV, NDJSON or Parquet: `user_id`, and an attribute in every other column.

    Args:
        path: a file, `-` for standard input, or a zip archive of files.
        options: what the files do not have; `columns` maps `user_id` and names of attributes.

    Raises:
        UnknownSource: the path does not exist, or nothing there can be read.
        Interrupted: a wait for a stream was stopped.
    """
    given = FileOptions(**options)
    if path.is_dir():
        raise UnknownSource(f"{path}: is a folder; {readable('profiles', _TABLES)}")
    source = input_of(path, given.stopped)
    kind = kind_of(source, "profiles", (*_TABLES, "zip"))
    if kind != "zip":
        return profile_rows(source, kind, given)
    return _archive(
        source, "profiles", _TABLES, lambda member, kind: profile_rows(member, kind, given)
    )


@_reported
def documents(path: Path, **options: Unpack[ItemOptions]) -> Source[DocumentItem]:
    """Documents from NDJSON, a JSON file, or a folder or zip archive of such files.

    Args:
        path: a file, `-` for standard input, a folder or a zip archive.
        options: what the files do not have; `user` has precedence over the user in a file's name,
            and `columns` maps `user_id` and `data` to members of the objects.

    Raises:
        UnknownSource: the path does not exist, or nothing there can be read.
        Interrupted: a wait for a stream was stopped.
    """
    given = FileOptions(**options)
    if path.is_dir():
        return document_folder(path, given)
    source = input_of(path, given.stopped)
    is_archive = kind_of(source, "documents", ("ndjson", "zip")) == "zip"
    return (document_archive if is_archive else document_file)(source, given)


@_reported
def images(
    path: Path, *, root: Path | None = None, **options: Unpack[TableOptions]
) -> Source[ImageItem]:
    """Images from a folder, or from a table of users and paths in CSV, NDJSON or Parquet.

    Args:
        path: a file, `-` for standard input, or a folder.
        root: the folder below which the files that a table names must be; by default the table's.
        options: what the files do not have; `user` of a folder is the user of all its images, and
            `columns` maps `user_id` and `path`.

    Raises:
        UnknownSource: the path does not exist, or nothing there can be read.
        Interrupted: a wait for a stream was stopped.
    """
    given = FileOptions(**options)
    if root is not None and not root.is_dir():
        raise UnknownSource(f"{root}: there is no such folder")
    if not path.is_dir():
        source = input_of(path, given.stopped)
        return image_table(source, kind_of(source, "images", _TABLES), given, root)
    if given.columns:
        raise UnknownSource(f"{path}: a folder has no columns that could be mapped")
    return image_folder(path, given.user)


def _archive(
    archive: Input,
    what: str,
    kinds: Sequence[str],
    open_one: Callable[[Input, str], Source[_Item]],
) -> Source[_Item]:
    """The files in an archive, in order of name; those that cannot be read are reported.

    Raises:
        UnknownSource: none can be read.
    """
    parts: list[Source[_Item]] = []
    faults: list[UnknownSource] = []
    members = members_of(archive)
    for member in members:
        if is_hidden(member.inside):
            parts.append(_single(Skipped(member.file, 1, HIDDEN, is_file=True)))
            continue
        try:
            parts.append(open_one(member, kind_of(member, what, kinds)))
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
            f"{archive.file}: an archive without {what} that can be read; it has {names}"
        )
    return chained(archive.file, parts)


def _single(found: Unreadable | Skipped) -> Source[_Item]:
    """A source that yields only why a file in an archive is left out."""
    return Source(found.file, 0, lambda _: iter((found,)))

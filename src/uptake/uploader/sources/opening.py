"""Opens paths as sources: files, folders, streams and zip archives, by what they hold."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypedDict, TypeVar, Unpack

from uptake.uploader.sources import (
    DocumentsSource,
    ImagesSource,
    ProfilesSource,
    SamplesSource,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
)
from uptake.uploader.sources.apple_health import apple_health, exports_in_folder, looks_like_export
from uptake.uploader.sources.csv_header import CsvForm
from uptake.uploader.sources.documents import (
    document_archive,
    document_file,
    document_folder,
)
from uptake.uploader.sources.file_kinds import kind_of, plain_stem, readable
from uptake.uploader.sources.file_source import chained, single
from uptake.uploader.sources.images import image_folder, image_table
from uptake.uploader.sources.inputs import (
    HIDDEN,
    Input,
    Stop,
    input_of,
    is_hidden,
    members_of,
    never,
)
from uptake.uploader.sources.profiles import profile_rows
from uptake.uploader.sources.sample_columns import Defaults
from uptake.uploader.sources.sample_lines import sample_lines
from uptake.uploader.sources.sample_tables import sample_csv, sample_parquet
from uptake.uploader.sources.sample_times import TIME_UNITS

NO_COLUMNS: Mapping[str, str] = {}
_TABLES = ("csv", "ndjson", "parquet")
_SAMPLES = ("xml", "ndjson", "csv", "parquet")
NAMED = 5
"""Files of an archive that a message names."""

_Arguments = ParamSpec("_Arguments")
_Opened = TypeVar("_Opened")
_Item = TypeVar("_Item")


class ItemOptions(TypedDict, total=False):
    """What files may not say.

    Attributes:
        user: the user of rows without one.
        columns: names of the wire to those of the file.
        stopped: says whether a wait for a stream is to end.
    """

    user: str | None
    columns: Mapping[str, str]
    stopped: Stop


class TableOptions(ItemOptions, total=False):
    """What files with a row for each item may not say.

    Attributes:
        delimiter: between the cells of CSV; None to find out.
        skip_rows: lines of CSV before the header.
    """

    delimiter: str | None
    skip_rows: int


class SampleOptions(TableOptions, total=False):
    """What files of samples may not say.

    Attributes:
        metric: `steps` or `bpm`, of rows without one.
        unit: of rows without one.
        device: the device's name, of rows without one.
        duration: seconds from the start to the end of rows without an end.
        time_unit: of times that are numbers since 1970: `s`, `ms`, `us` or `ns`.
    """

    metric: str | None
    unit: str | None
    device: str | None
    duration: int | None
    time_unit: str | None


def _reported(open_: Callable[_Arguments, _Opened]) -> Callable[_Arguments, _Opened]:
    """What keeps a file from being opened, as `UnknownSource` too."""

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
def samples(path: Path, **options: Unpack[SampleOptions]) -> SamplesSource:
    """Samples from Apple Health exports, NDJSON, CSV or Parquet.

    Args:
        path: a file, `-` for standard input, a zip archive of files, or a folder with Apple Health
            exports in it.
        options: what the files may not say.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
        Interrupted: a wait for a stream was stopped.
    """
    form, columns = _form(options), options.get("columns", NO_COLUMNS)
    time_unit = options.get("time_unit")
    if time_unit is not None and time_unit not in TIME_UNITS:
        raise UnknownSource(f"the time unit {time_unit!r} is none of {', '.join(TIME_UNITS)}")
    defaults = Defaults(
        options.get("user"),
        options.get("metric"),
        options.get("unit"),
        options.get("device"),
        options.get("duration"),
        time_unit,
    )

    def open_one(source: Input, kind: str) -> SamplesSource:
        if kind == "xml":
            if columns:
                raise UnknownSource(
                    f"{source.file}: columns of an Apple Health export cannot be mapped"
                )
            return apple_health(source, defaults)
        if kind == "csv":
            return sample_csv(source, columns, defaults, form)
        return {"ndjson": sample_lines, "parquet": sample_parquet}[kind](source, columns, defaults)

    if path.is_dir():
        exports = exports_in_folder(path)
        return chained(str(path), [open_one(export, "xml") for export in exports])
    source = input_of(path, options.get("stopped", never))
    kind = kind_of(source, "samples", (*_SAMPLES, "zip"))
    if kind != "zip":
        return open_one(source, kind)
    members: Sequence[Input] = members_of(source)
    # What comes beside an export in its archive (recordings, routes) holds no samples.
    exports = [member for member in members if looks_like_export(member)]
    if exports:
        return chained(source.file, [open_one(export, "xml") for export in exports])
    return _archive(source, "samples", _SAMPLES, open_one)


@_reported
def profiles(path: Path, **options: Unpack[TableOptions]) -> ProfilesSource:
    """Profiles from CSV, NDJSON or Parquet: `user_id`, and an attribute in every other column.

    Args:
        path: a file, `-` for standard input, or a zip archive of files.
        options: what the files may not say; `columns` maps `user_id` and names of attributes.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
        Interrupted: a wait for a stream was stopped.
    """
    form, columns = _form(options), options.get("columns", NO_COLUMNS)

    def open_one(source: Input, kind: str) -> ProfilesSource:
        return profile_rows(source, kind, options.get("user"), columns, form)

    if path.is_dir():
        raise UnknownSource(f"{path}: is a folder; {readable('profiles', _TABLES)}")
    source = input_of(path, options.get("stopped", never))
    kind = kind_of(source, "profiles", (*_TABLES, "zip"))
    return (
        _archive(source, "profiles", _TABLES, open_one) if kind == "zip" else open_one(source, kind)
    )


@_reported
def documents(path: Path, **options: Unpack[ItemOptions]) -> DocumentsSource:
    """Documents from NDJSON, a JSON file, or a folder or zip archive of such files.

    Args:
        path: a file, `-` for standard input, a folder or a zip archive.
        options: what the files may not say; `user` goes before the user that a file's name says,
            and `columns` maps `user_id` and `data` to members of the objects.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
        Interrupted: a wait for a stream was stopped.
    """
    user, columns = options.get("user"), options.get("columns", NO_COLUMNS)
    if path.is_dir():
        return document_folder(path, user, columns)
    source = input_of(path, options.get("stopped", never))
    if kind_of(source, "documents", ("ndjson", "zip")) == "zip":
        return document_archive(source, user, columns)
    return document_file(source, user, columns, plain_stem(source.name) or None)


@_reported
def images(
    path: Path, *, root: Path | None = None, **options: Unpack[TableOptions]
) -> ImagesSource:
    """Images from a folder, or from a table of users and paths in CSV, NDJSON or Parquet.

    Args:
        path: a file, `-` for standard input, or a folder.
        root: the folder below which the files that a table names must be; by default the table's.
        options: what the files may not say; `user` of a folder is the user of all its images, and
            `columns` maps `user_id` and `path`.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
        Interrupted: a wait for a stream was stopped.
    """
    user, columns = options.get("user"), options.get("columns", NO_COLUMNS)
    if root is not None and not root.is_dir():
        raise UnknownSource(f"{root}: there is no such folder")
    if not path.is_dir():
        source = input_of(path, options.get("stopped", never))
        kind = kind_of(source, "images", _TABLES)
        return image_table(source, kind, user, columns, _form(options), root)
    if columns:
        raise UnknownSource(f"{path}: a folder has no columns that could be mapped")
    return image_folder(path, user)


def _form(options: TableOptions) -> CsvForm:
    return CsvForm(options.get("delimiter"), options.get("skip_rows", 0))


def _archive(
    archive: Input,
    what: str,
    kinds: Sequence[str],
    open_one: Callable[[Input, str], Source[_Item]],
) -> Source[_Item]:
    """The files in an archive, in order of name; those that cannot be read are reported.

    Raises:
        UnknownSource: none can be read; the message is about the first.
    """
    parts: list[Source[_Item]] = []
    faults: list[UnknownSource] = []
    members = members_of(archive)
    for member in members:
        if is_hidden(member.inside):
            parts.append(single(Skipped(member.file, 1, HIDDEN, is_file=True)))
            continue
        try:
            parts.append(open_one(member, kind_of(member, what, kinds)))
        except UnknownSource as error:
            faults.append(error)
            reason = str(error).removeprefix(f"{member.file}: ")
            parts.append(single(Unreadable(member.file, 0, reason)))
        except OSError as error:
            parts.append(single(Unreadable(member.file, 0, error.strerror or str(error))))
    if len(faults) == len(parts):
        if len(faults) == 1:
            raise faults[0]
        names = ", ".join(str(member.inside) for member in members[:NAMED]) or "nothing"
        raise UnknownSource(
            f"{archive.file}: an archive without {what} that can be read; it has {names}"
        )
    return chained(archive.file, parts)

"""Opens files as sources: which kind a file is, told by its name and by how it begins."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from uptake.uploader.sources import (
    DocumentsSource,
    ImagesSource,
    ProfilesSource,
    SamplesSource,
    UnknownSource,
)
from uptake.uploader.sources.apple_health import apple_health, export_in_folder
from uptake.uploader.sources.documents import document_files, document_lines, is_one_object
from uptake.uploader.sources.file_kinds import kind_of
from uptake.uploader.sources.images import image_folder, image_table
from uptake.uploader.sources.profiles import profile_rows
from uptake.uploader.sources.sample_columns import Defaults
from uptake.uploader.sources.sample_lines import sample_lines
from uptake.uploader.sources.sample_tables import sample_csv, sample_parquet

NO_COLUMNS: Mapping[str, str] = {}
_TABLES = ("csv", "ndjson", "parquet")
_Arguments = ParamSpec("_Arguments")
_Opened = TypeVar("_Opened")


def _told(open_: Callable[_Arguments, _Opened]) -> Callable[_Arguments, _Opened]:
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


@_told
def samples(  # noqa: PLR0913 - one argument for each thing that a file may not say
    path: Path,
    *,
    user: str | None = None,
    columns: Mapping[str, str] = NO_COLUMNS,
    metric: str | None = None,
    unit: str | None = None,
    device: str | None = None,
) -> SamplesSource:
    """Samples from an Apple Health export, NDJSON, CSV or Parquet.

    Args:
        path: a file, or a folder with an Apple Health export in it.
        user: whom rows are about that do not say it.
        columns: names of samples to those of the file.
        metric: `steps` or `bpm`, for rows that do not say it.
        unit: for rows that do not say it.
        device: the device's name, for rows that do not say it.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
    """
    if path.is_dir():
        path = export_in_folder(path)
    kind = kind_of(path, "samples", ("xml", "zip", "ndjson", "csv", "parquet"))
    if kind in {"xml", "zip"}:
        if columns:
            raise UnknownSource(f"{path}: columns of an Apple Health export cannot be mapped")
        return apple_health(path, user)
    defaults = Defaults(user, metric, unit, device)
    openers = {"ndjson": sample_lines, "csv": sample_csv, "parquet": sample_parquet}
    return openers[kind](path, columns, defaults)


@_told
def profiles(
    path: Path, *, user: str | None = None, columns: Mapping[str, str] = NO_COLUMNS
) -> ProfilesSource:
    """Profiles from CSV, NDJSON or Parquet: `user_id`, and an attribute in every other column.

    Args:
        path: a file.
        user: whom rows are about that do not say it.
        columns: `user_id` and names of attributes to those of the file.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
    """
    return profile_rows(path, kind_of(path, "profiles", _TABLES), user, columns)


@_told
def documents(
    path: Path, *, user: str | None = None, columns: Mapping[str, str] = NO_COLUMNS
) -> DocumentsSource:
    """Documents from NDJSON, a JSON file, or a folder of JSON files.

    Args:
        path: a file or a folder.
        user: whom documents are about that do not say it, before a file's name does.
        columns: `user_id` and `data` to members of the objects.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
    """
    if path.is_dir():
        return document_files(path, user, columns)
    kind_of(path, "documents", ("ndjson",))
    if path.suffix.lower() == ".json" and is_one_object(path):
        return document_files(path, user, columns)
    return document_lines(path, user, columns)


@_told
def images(
    path: Path,
    *,
    user: str | None = None,
    columns: Mapping[str, str] = NO_COLUMNS,
    root: Path | None = None,
) -> ImagesSource:
    """Images from a folder, or from a table of users and paths in CSV, NDJSON or Parquet.

    Args:
        path: a file or a folder.
        user: whom rows are about that do not say it; for a folder, whom all images are about.
        columns: `user_id` and `path` to those of the file.
        root: the folder below which the files that a table names must be; by default the table's.

    Raises:
        UnknownSource: the path leads to nothing that can be read.
    """
    if root is not None and not root.is_dir():
        raise UnknownSource(f"{root}: there is no such folder")
    if not path.is_dir():
        return image_table(path, kind_of(path, "images", _TABLES), user, columns, root)
    if columns:
        raise UnknownSource(f"{path}: a folder has no columns that could be mapped")
    return image_folder(path, user)

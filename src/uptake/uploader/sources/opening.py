"""Opens files as sources: which kind a file is, told by its name and by how it begins."""

import zipfile
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from uptake.uploader.sources import (
    SamplesSource,
    UnknownSource,
)
from uptake.uploader.sources.apple_health import apple_health, export_in_folder
from uptake.uploader.sources.file_kinds import kind_of
from uptake.uploader.sources.sample_columns import Defaults
from uptake.uploader.sources.sample_lines import sample_lines
from uptake.uploader.sources.sample_tables import sample_csv, sample_parquet

NO_COLUMNS: Mapping[str, str] = {}
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
        except (zipfile.BadZipFile, RuntimeError) as error:
            raise UnknownSource(f"{args[0]}: the archive cannot be read: {error}") from error

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

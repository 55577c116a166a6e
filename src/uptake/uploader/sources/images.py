"""Images: a folder of them, or a table of users and paths."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from uptake.uploader.sources import ImageItem, UnknownSource, Unreadable
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.rows import Rows
from uptake.uploader.sources.user_ids import user_of

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp"}
    # These no endpoint takes, and that is for it to say: left out they would be missed in silence.
    | {".avif", ".bmp", ".heic", ".heif", ".tif", ".tiff"}
)
"""By which images are known in a folder; other files there are none."""

_NUMBERED = re.compile(r"([0-9]+)(?:[-_. ].*)?")


def image_table(
    path: Path, kind: str, user: str | None, columns: Mapping[str, str]
) -> FileSource[ImageItem]:
    """A source of images from a table with the columns `user_id` and `path`.

    Paths are relative to the table's folder.

    Raises:
        UnknownSource: a column is missing.
        OSError: the file cannot be opened.
    """
    rows = Rows(path, kind, columns, ["path"] if user is not None else ["user_id", "path"])

    def read(progress: Progress) -> Iterator[ImageItem | Unreadable]:
        for found in rows.read(progress):
            if isinstance(found, Unreadable):
                yield found
                continue
            line, row = found
            about = user_of(row.get("user_id"), user, rows.file, line)
            told = row.get("path")
            if isinstance(about, Unreadable):
                yield about
            elif not isinstance(told, str) or not told or "\0" in told:
                yield Unreadable(rows.file, line, "lacks path")
            else:
                yield _image(path.parent / told, about, rows.file, line)

    return FileSource(path, read)


def image_folder(folder: Path, user: str | None) -> FileSource[ImageItem]:
    """A source of the images in a folder and those below it.

    An image in a folder within is about the user of that folder's name; the others about the user
    that their own name begins with: `42.jpg` and `42-left.png` are about 42.

    Raises:
        UnknownSource: there are none.
    """
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not paths:
        raise UnknownSource(f"{folder}: a folder without images")

    def read(progress: Progress) -> Iterator[ImageItem | Unreadable]:
        for path in paths:
            about = user or _user_named(path.relative_to(folder))
            found = _image(path, about, str(path), 0)
            if isinstance(found, ImageItem):
                progress.position += path.stat().st_size
            yield found

    sizes = (path.stat().st_size for path in paths if path.is_file())
    return FileSource(folder, read, sum(sizes))


def _user_named(path: Path) -> str:
    if len(path.parts) > 1:
        return path.parts[0]
    numbered = _NUMBERED.fullmatch(path.stem)
    return numbered[1] if numbered else path.stem


def _image(path: Path, user: str, file: str, line: int) -> ImageItem | Unreadable:
    if not path.is_file():
        return Unreadable(file, line, f"there is no file {path}")
    if not os.access(path, os.R_OK):
        return Unreadable(file, line, f"the file {path} may not be read")
    return ImageItem(user, path, file, line)

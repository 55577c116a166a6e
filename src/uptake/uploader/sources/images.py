"""Images: a folder of them, or a table of users and paths.

Only regular files below one folder are read, and only images: other files that a table names, or
that are in a folder, are reported. The content of a file decides, not its name. Nothing is
converted.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from uptake.files import CannotOpen, files_below, read_below
from uptake.formats.base import IMAGE_LIMIT
from uptake.uploader.sources import (
    FileOptions,
    Found,
    ImageItem,
    Progress,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
)
from uptake.uploader.sources.inputs import HIDDEN, Input, is_hidden
from uptake.uploader.sources.pipes import StreamInput
from uptake.uploader.sources.rows import Row, rows_of

_TAKEN = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP", re.DOTALL)
"""How PNG, JPEG, GIF and WebP begin."""

_BEGINNING = 12
"""Bytes that distinguish them from other files."""

_OTHERS = {
    "AVIF": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
    "HEIC": re.compile(rb".{4}ftyp(hei|hev|mif1|msf1)", re.DOTALL),
    "TIFF": re.compile(rb"II\*\0|MM\0\*"),
    "BMP": re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL),
    "a PDF document": re.compile(rb"%PDF-"),
}
"""Other kinds of files that a report can name."""

_NUMBERED = re.compile(r"([0-9]+)(?:[-_. ].*)?")


class ImageSource(Source[ImageItem]):
    """A source of images.

    Attributes:
        users: the user and the file of each image, without its content; empty for a stream.
    """

    users: Callable[[], Iterator[tuple[str, str]]] = staticmethod(lambda: iter(()))


def image_table(source: Input, kind: str, options: FileOptions) -> ImageSource:
    """A source of images from a table with the columns `user_id` and `path`.

    Paths are relative to the table's folder, of a table from a stream to the working directory, and
    must lead to files below the option `root`, by default that folder.

    Raises:
        UnknownSource: a column is missing.
        OSError: the file cannot be opened.
    """
    folder = Path() if isinstance(source, StreamInput) else Path(source.file).parent

    def image(line: int, user: str, row: Row) -> ImageItem | Unreadable:
        path = row.get("path")
        if not isinstance(path, str) or not path or "\0" in path:
            return Unreadable(source.file, line, "lacks path")
        return _image(options.root or folder, folder / path, user, (source.file, line))

    def text_of(row: Row) -> bytes:
        path = row.get("path")
        return msgspec.json.encode(
            row if not isinstance(path, str) else {**row, "path": str((folder / path).absolute())}
        )

    def users() -> Iterator[tuple[str, str]]:
        rows = rows_of(source, kind, options, lambda _, user, row: (user, str(row.get("path"))))
        found = (one for one in rows() if isinstance(one, tuple))
        root = options.root or folder
        return (one for one in found if _is_image(root, folder / one[1]))

    rows = rows_of(source, kind, options, image, ["path"], text_of)
    # Without originals: elsewhere, their paths would lead to other files.
    table = ImageSource(source.file, source.size, rows.read)
    if not isinstance(source, StreamInput):
        table.users = users
    return table


def image_folder(folder: Path, options: FileOptions) -> ImageSource:
    """A source of the images in a folder and those below it; hidden files are counted as skipped.

    The user of an image in a subfolder is the name of that subfolder. The user of another image is
    what its own name begins with: `42.jpg` and `42-left.png` are images of the user 42.

    Raises:
        UnknownSource: there are no files, or columns are mapped.
    """
    if options.columns:
        raise UnknownSource(f"{folder}: a folder has no columns that could be mapped")
    paths = files_below(folder, hidden=True)
    hidden = {path for path in paths if is_hidden(path.relative_to(folder))}
    if not set(paths) - hidden:
        raise UnknownSource(f"{folder}: a folder without images")

    sizes = {path: 0 if path in hidden else path.lstat().st_size for path in paths}

    def user_of(path: Path) -> str:
        return options.user or _user_named(path.relative_to(folder))

    def read(progress: Progress) -> Iterator[Found[ImageItem]]:
        for path, size in sizes.items():
            if path in hidden:
                yield Skipped(str(path), 1, HIDDEN, is_file=True)
                continue
            progress.position += size
            yield _image(folder, path, user_of(path), (str(path), 0))

    source = ImageSource(str(folder), sum(sizes.values()), read)
    source.users = lambda: (
        (user_of(path), str(path))
        for path in sizes
        if path not in hidden and _is_image(folder, path)
    )
    return source


def _user_named(path: Path) -> str:
    if len(path.parts) > 1:
        return path.parts[0]
    numbered = _NUMBERED.fullmatch(path.stem)
    return numbered[1] if numbered else path.stem


def _is_image(root: Path, path: Path) -> bool:
    try:
        _, content = read_below(root, path, _BEGINNING)
    except CannotOpen:
        return False
    return _TAKEN.match(content) is not None


def _image(root: Path, path: Path, user: str, place: tuple[str, int]) -> ImageItem | Unreadable:
    try:
        size, content = read_below(root, path, IMAGE_LIMIT)
    except CannotOpen as error:
        return _unreadable(path, user, place, str(error))
    if not _TAKEN.match(content):
        return _unreadable(path, user, place, _not_an_image(content))
    return ImageItem(user, path, size, content, *place)


def _unreadable(path: Path, user: str, place: tuple[str, int], reason: str) -> Unreadable:
    item = {"user_id": user, "path": str(path.absolute())}
    named = "" if place == (str(path), 0) else f"the file {path} "
    return Unreadable(*place, f"{named}{reason}", msgspec.json.encode(item))


def _not_an_image(content: bytes) -> str:
    if not content:
        return "is empty"
    kinds = [name for name, begins in _OTHERS.items() if begins.match(content)]
    is_other = f"is {kinds[0]}, and" if kinds else "is"
    return f"{is_other} not a PNG, JPEG, GIF or WebP image"

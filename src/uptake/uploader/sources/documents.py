"""Documents: JSON objects, one in each file of a folder or on each line of a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from uptake.uploader.sources import DocumentItem, UnknownSource, Unreadable
from uptake.uploader.sources.below import CannotOpen, files_below, read_below
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.json_lines import MISREAD, Members, objects, require_members
from uptake.uploader.sources.streams import BOM, MAX_LINE_BYTES
from uptake.uploader.sources.user_ids import user_of

NAMES = ("user_id", "data")
"""What members can be mapped to."""


class _User(msgspec.Struct):
    """The member `user` of thymia's upload body."""

    label: str | int | None = msgspec.field(default=None, name="userLabel")


class Bodies:
    """Finds in an object whom it is about and what is kept of it."""

    def __init__(self, columns: Mapping[str, str], user: str | None, file: str) -> None:
        for name in columns:
            if name not in NAMES:
                raise UnknownSource(f"{file}: documents have no {name!r}, but {', '.join(NAMES)}")
        self._user = user
        self._mapped = "user_id" in columns
        self._user_member = columns.get("user_id", "user_id")
        self._data_member = columns.get("data", "data")

    def item(
        self, members: Members, file: str, line: int, named: str | None = None, whole: bytes = b""
    ) -> DocumentItem | Unreadable:
        """The document that an object is or has in it.

        Args:
            members: the object's.
            file: where it is.
            line: where in the file.
            named: whom the file's name says it is about.
            whole: the object's text, which is the document when no member is.
        """
        try:
            told = self._told(members)
            data = members.get(self._data_member)
            enclosed = data is not None and (told is not None or not whole)
            if not enclosed and not whole and not self._mapped:
                return Unreadable(file, line, f"lacks {self._data_member}")
            text = bytes(data) if data is not None and enclosed else whole or _joined(members)
            if not isinstance(msgspec.json.decode(text), dict):
                return Unreadable(file, line, f"{self._data_member} is no object")
        except MISREAD as error:
            return Unreadable(file, line, str(error))
        about = user_of(told, self._user or named, file, line)
        return about if isinstance(about, Unreadable) else DocumentItem(about, text, file, line)

    def _told(self, members: Members) -> Any:
        """The user that an object tells, in a member of its own or as thymia's bodies do."""
        raw = members.get(self._user_member)
        told = None if raw is None else msgspec.json.decode(raw, type=str | int | None)
        if told is None and "user" in members and self._data_member in members:
            try:
                told = msgspec.json.decode(members["user"], type=_User).label
            except MISREAD:
                return None
        return told


def _joined(members: Members) -> bytes:
    return msgspec.json.encode(members)


def document_lines(
    path: Path, user: str | None, columns: Mapping[str, str]
) -> FileSource[DocumentItem]:
    """A source of documents from NDJSON.

    A line is `{"user_id": ..., "data": {...}}` or thymia's `{"user": {"userLabel": ...}, "data":
    {...}}`; when a member is mapped to `user_id` and there is no `data`, it is a document as a
    whole.

    Raises:
        UnknownSource: the mapping names what documents or the file do not have.
        OSError: the file cannot be opened.
    """
    file = str(path)
    bodies = Bodies(columns, user, file)
    require_members(path, columns.values(), file)

    def read(progress: Progress) -> Iterator[DocumentItem | Unreadable]:
        for found in objects(path, progress):
            if isinstance(found, Unreadable):
                yield found
            else:
                line, members = found
                yield bodies.item(members, file, line)

    return FileSource(path, read)


def document_files(
    path: Path, user: str | None, columns: Mapping[str, str]
) -> FileSource[DocumentItem]:
    """A source of documents from a JSON file, or a folder with some in it and below it.

    A file that says whom it is about in a member of its own, beside `data`, is read as a line of
    NDJSON is. Any other file is a document as a whole, about the user whom a mapped member tells;
    else the user of the folder it is in, within the one given; else of the file's own name.

    Raises:
        UnknownSource: there are no documents, or the mapping names what they do not have.
    """
    bodies = Bodies(columns, user, str(path))
    paths, root = [path], path.resolve().parent
    if path.is_dir():
        paths, root = [found for found in files_below(path) if found.suffix == ".json"], path
        if not paths:
            raise UnknownSource(f"{path}: a folder without JSON files")
    sizes = {found: found.lstat().st_size for found in paths}

    def read(progress: Progress) -> Iterator[DocumentItem | Unreadable]:
        for file, size in sizes.items():
            inside = file.relative_to(path).parts if path.is_dir() else (file.name,)
            named = inside[0] if len(inside) > 1 else file.stem
            progress.position += size
            yield _document(root, file, bodies, named)

    return FileSource(path, read, sum(sizes.values()))


def _document(root: Path, path: Path, bodies: Bodies, named: str) -> DocumentItem | Unreadable:
    file = str(path)
    try:
        size, content = read_below(root, path, MAX_LINE_BYTES)
        if size > MAX_LINE_BYTES:
            return Unreadable(file, 0, f"has more than {MAX_LINE_BYTES >> 20} MiB")
        text = content.removeprefix(BOM).strip()
        members = msgspec.json.decode(text, type=Members)
    except CannotOpen as error:
        return Unreadable(file, 0, f"the file {error}")
    except MISREAD as error:
        return Unreadable(file, 0, str(error))
    return bodies.item(members, file, 1, named, text)


def is_one_object(path: Path) -> bool:
    """Whether a file is a single JSON object, over any number of lines."""
    try:
        if path.stat().st_size > MAX_LINE_BYTES:
            return False
        msgspec.json.decode(path.read_bytes().removeprefix(BOM), type=Members)
    except MISREAD:
        return False
    return True

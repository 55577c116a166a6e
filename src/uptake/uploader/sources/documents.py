"""Documents: JSON objects, one in each file of a folder or archive, or on each line of a file.

What is coerced: numbers as user ids, as `user_ids` states. A document's own text is never
changed. It must be strict JSON: one with `NaN`, `Infinity` or a number that a double cannot hold is
reported, because no reader could tell what was meant.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import msgspec

from uptake.files import files_below
from uptake.uploader.sources import DocumentItem, Skipped, UnknownSource, Unreadable
from uptake.uploader.sources.file_kinds import plain_stem, plain_suffix
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.inputs import HIDDEN, FileInput, Input, is_hidden, members_of
from uptake.uploader.sources.json_lines import (
    MISREAD,
    PEEKED_BYTES,
    Members,
    objects,
    require_members,
)
from uptake.uploader.sources.streams import BOM, MAX_LINE_BYTES
from uptake.uploader.sources.unpacking import read_up_to
from uptake.uploader.sources.user_ids import user_of

NAMES = ("user_id", "data")
"""What members can be mapped to."""

LINES = frozenset({".ndjson", ".jsonl"})
OTHER_FILE = "not named .json or .ndjson"

_ID: msgspec.json.Decoder[str | int | None] = msgspec.json.Decoder(str | int | None)
_FLOAT: msgspec.json.Decoder[float] = msgspec.json.Decoder(float)
_NOTHING = msgspec.Raw(b"")


class _User(msgspec.Struct):
    """The member `user` of thymia's upload body."""

    label: msgspec.Raw = msgspec.field(default=_NOTHING, name="userLabel")


class Bodies:
    """Finds the user and the document in an object."""

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
            named: the user in the file's name.
            whole: the object's text, which is the document when no member is.
        """
        try:
            user = self._user_in(members)
            data = members.get(self._data_member)
            enclosed = data is not None and (user is not None or not whole)
            if not enclosed and not whole and not self._mapped:
                return Unreadable(file, line, f"lacks {self._data_member}")
            text = bytes(data) if data is not None and enclosed else whole or _joined(members)
            if not isinstance(msgspec.json.decode(text), dict):
                return Unreadable(file, line, f"{self._data_member} is no object")
        except MISREAD as error:
            return Unreadable(file, line, str(error))
        about = user_of(user, self._user or named, file, line)
        return about if isinstance(about, Unreadable) else DocumentItem(about, text, file, line)

    def _user_in(self, members: Members) -> Any:
        """The user of an object, in a member of its own or as thymia's bodies have it."""
        raw = members.get(self._user_member)
        user = None if raw is None else _id_in(raw)
        if user is None and "user" in members and self._data_member in members:
            try:
                label = msgspec.json.decode(members["user"], type=_User).label
                return _id_in(label) if bytes(label) else None
            except MISREAD:
                return None
        return user


def _id_in(raw: msgspec.Raw) -> str | int | float | None:
    try:
        return _ID.decode(raw)
    except msgspec.ValidationError:
        try:
            return _FLOAT.decode(raw)
        except msgspec.ValidationError:
            pass
        raise


def _joined(members: Members) -> bytes:
    return msgspec.json.encode(members)


def document_lines(
    source: Input, user: str | None, columns: Mapping[str, str]
) -> FileSource[DocumentItem]:
    """A source of documents from NDJSON.

    A line is `{"user_id": ..., "data": {...}}` or thymia's `{"user": {"userLabel": ...}, "data":
    {...}}`; when a member is mapped to `user_id` and there is no `data`, it is a document as a
    whole.

    Raises:
        UnknownSource: the mapping names what documents or the file do not have.
        OSError: the file cannot be opened.
    """
    bodies = Bodies(columns, user, source.file)
    require_members(source, columns.values())

    def read(progress: Progress) -> Iterator[DocumentItem | Unreadable | Skipped]:
        return _lines(source, bodies, progress)

    return FileSource(source.file, source.size, read)


def _lines(
    source: Input, bodies: Bodies, progress: Progress
) -> Iterator[DocumentItem | Unreadable]:
    for found in objects(source, progress):
        if isinstance(found, Unreadable):
            yield found
        else:
            line, members = found
            yield bodies.item(members, source.file, line)


def document_folder(
    folder: Path, user: str | None, columns: Mapping[str, str]
) -> FileSource[DocumentItem]:
    """A source of documents from a folder with JSON files in it and below it.

    A file that has its user in a member of its own, beside `data`, is read as a line of NDJSON is.
    Any other file is a document as a whole, of the user that a mapped member names; else the user
    of the folder it is in, within the one given; else of the file's own name. Files of NDJSON are
    read line by line, and files with other suffixes are counted as skipped.

    Raises:
        UnknownSource: there are no documents, or the mapping names what they do not have.
    """
    inside = [(path, path.relative_to(folder)) for path in files_below(folder, hidden=True)]
    files = [(FileInput(path, folder), place) for path, place in inside]
    return _files(str(folder), "a folder", files, user, columns)


def document_archive(
    archive: Input, user: str | None, columns: Mapping[str, str]
) -> FileSource[DocumentItem]:
    """The same from a zip archive.

    Raises:
        UnknownSource: as for a folder, or the archive cannot be read.
    """
    files = [(member, member.inside) for member in members_of(archive)]
    return _files(archive.file, "an archive", files, user, columns)


def _files(
    file: str,
    what: str,
    files: Sequence[tuple[Input, PurePath]],
    user: str | None,
    columns: Mapping[str, str],
) -> FileSource[DocumentItem]:
    bodies = Bodies(columns, user, file)
    if not any(_is_document(place) for _, place in files):
        raise UnknownSource(f"{file}: {what} without JSON files")

    def read(progress: Progress) -> Iterator[DocumentItem | Unreadable | Skipped]:
        for source, place in files:
            if not _is_document(place):
                reason = HIDDEN if is_hidden(place) else OTHER_FILE
                yield Skipped(source.file, 1, reason, is_file=True)
                continue
            named = place.parts[0] if len(place.parts) > 1 else plain_stem(place.name)
            yield from _document(source, bodies, named, Progress())
            progress.position += source.size

    return FileSource(file, sum(one.size for one, place in files if _is_document(place)), read)


def _is_document(place: PurePath) -> bool:
    return not is_hidden(place) and plain_suffix(place.name) in {".json", *LINES}


def document_file(
    source: Input, user: str | None, columns: Mapping[str, str], named: str | None
) -> FileSource[DocumentItem]:
    """A source of documents from one file: a single object over any number of lines, or NDJSON.

    Args:
        source: the file.
        user: of documents that do not name one.
        columns: `user_id` and `data` to members of the objects.
        named: the user in the file's name, before which `user` goes.

    Raises:
        UnknownSource: the mapping names what documents do not have.
        OSError: the file cannot be opened.
    """
    if is_lines(source):
        return document_lines(source, user, columns)
    bodies = Bodies(columns, user, source.file)

    def read(progress: Progress) -> Iterator[DocumentItem | Unreadable | Skipped]:
        return _document(source, bodies, named, progress)

    return FileSource(source.file, source.size, read)


def _document(
    source: Input, bodies: Bodies, named: str | None, progress: Progress
) -> Iterator[DocumentItem | Unreadable]:
    file = source.file
    try:
        if is_lines(source):
            yield from _lines(source, bodies, progress)
            return
        with source.open(progress) as stream:
            content = read_up_to(stream, MAX_LINE_BYTES + 1)
        if len(content) > MAX_LINE_BYTES:
            yield Unreadable(file, 0, f"has more than {MAX_LINE_BYTES >> 20} MiB")
            return
        text = content.removeprefix(BOM).strip()
        members = msgspec.json.decode(text, type=Members)
    except MISREAD as error:
        yield Unreadable(file, 0, str(error))
    except OSError as error:
        yield Unreadable(file, 0, error.strerror or str(error))
    else:
        yield bodies.item(members, file, 1, named, text)


def is_lines(source: Input) -> bool:
    """Whether a file is NDJSON rather than one object: by its name, or by what it holds.

    In a file named `.json` a single line is an object of its own, in others it is a line of NDJSON.
    """
    suffix = plain_suffix(source.name)
    if suffix in LINES:
        return True
    first, _, rest = source.peek(PEEKED_BYTES).removeprefix(BOM).lstrip().partition(b"\n")
    if _is_object(first):
        return suffix != ".json" or not _is_blank(rest)
    return suffix != ".json" and not _is_object(source.peek(MAX_LINE_BYTES).removeprefix(BOM))


def _is_blank(text: bytes) -> bool:
    return not text or text.isspace()


def _is_object(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=Members)
    except MISREAD:
        return False
    return True

"""Documents: JSON objects, one in each file of a folder or archive, or on each line of a file.

Numbers as user ids become text, see `values`. The text of a document is never changed. It must be
strict JSON: one with `NaN`, `Infinity` or a number that a double cannot express is reported.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

import msgspec

from uptake.files import files_below
from uptake.formats.encoder import DocumentsWire
from uptake.uploader.sources import (
    DocumentItem,
    FileOptions,
    Found,
    Progress,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
)
from uptake.uploader.sources.inputs import (
    HIDDEN,
    FileInput,
    Input,
    is_hidden,
    members_of,
    plain_stem,
    plain_suffix,
)
from uptake.uploader.sources.originals import MISREAD, JsonLines, reason_of
from uptake.uploader.sources.rows import PEEKED_BYTES, Members, objects, require_members
from uptake.uploader.sources.streams import BOM, MAX_LINE_BYTES, read_up_to
from uptake.uploader.sources.values import user_of
from uptake.uploader.wires import wires_of

NAMES = ("user_id", "data")
"""What members can be mapped to."""

LINES = frozenset({".ndjson", ".jsonl"})
OTHER_FILE = "not named .json or .ndjson"

Documents = Iterator[Found[DocumentItem]]

Id = str | int | float
_ID: msgspec.json.Decoder[str | int | None] = msgspec.json.Decoder(str | int | None)
_FLOAT: msgspec.json.Decoder[float] = msgspec.json.Decoder(float)


class _Documents:
    """Finds user and document in the objects of files."""

    def __init__(self, file: str, options: FileOptions) -> None:
        columns = options.columns
        for name in columns:
            if name not in NAMES:
                raise UnknownSource(f"{file}: documents have no {name!r}, but {', '.join(NAMES)}")
        self._user = options.user
        self._mapped = "user_id" in columns
        self._user_member = columns.get("user_id", "user_id")
        self._data_member = columns.get("data", "data")
        self._requests = [
            (wire.user_path, columns.get("data", wire.document_member))
            for wire in wires_of(DocumentsWire)
        ]

    def lines(self, source: Input, progress: Progress) -> Documents:
        """The documents on the lines of an NDJSON file.

        A line is `{"user_id": ..., "data": {...}}` or a request with a document; when a member is
        mapped to `user_id` and there is no `data`, the line as a whole is a document.
        """
        for found in objects(source, progress):
            yield self._item(*found, source.file) if isinstance(found, tuple) else found

    def file(self, source: Input, named: str | None, progress: Progress) -> Documents:
        """The documents in a file of one object, or in an NDJSON file.

        `named` is the user in the file's name.
        """
        file = source.file
        try:
            if is_lines(source):
                yield from self.lines(source, progress)
                return
            with source.open(progress) as stream:
                content = read_up_to(stream, MAX_LINE_BYTES + 1)
            if len(content) > MAX_LINE_BYTES:
                yield Unreadable(file, 0, f"has more than {MAX_LINE_BYTES >> 20} MiB")
                return
            text = content.removeprefix(BOM).strip()
            members = msgspec.json.decode(text, type=Members)
        except MISREAD as error:
            yield Unreadable(file, 0, reason_of(error))
        except OSError as error:
            yield Unreadable(file, 0, error.strerror or str(error))
        else:
            yield self._item(1, members, file, named, text)

    def _item(
        self, line: int, members: Members, file: str, named: str | None = None, whole: bytes = b""
    ) -> DocumentItem | Unreadable:
        """The document that an object is or contains; `whole` is its text if it may be one."""
        try:
            user, data = self._user_and_data(members)
            enclosed = data is not None and (user is not None or not whole)
            if not enclosed and not whole and not self._mapped:
                return Unreadable(file, line, f"lacks {self._data_member}")
            if data is not None and enclosed:
                text = bytes(data)
            else:
                text = whole or msgspec.json.encode(members)
            if not isinstance(msgspec.json.decode(text), dict):
                return Unreadable(file, line, f"{self._data_member} is not an object")
        except MISREAD as error:
            return Unreadable(file, line, reason_of(error))
        user_id = user_of(user, self._user or named, file, line)
        return (
            user_id if isinstance(user_id, Unreadable) else DocumentItem(user_id, text, file, line)
        )

    def _user_and_data(self, members: Members) -> tuple[Id | None, msgspec.Raw | None]:
        """The user and the document of an object, in members of their own or as in a request."""
        raw = members.get(self._user_member)
        user = None if raw is None else _id_in(raw)
        if user is not None:
            return user, members.get(self._data_member)
        for path, member in self._requests:
            if member in members:
                with suppress(*MISREAD):
                    user = _enclosed(members, path)
                if user is not None:
                    return user, members[member]
        return None, members.get(self._data_member)


def _enclosed(members: Members, path: Sequence[str]) -> Id | None:
    for name in path[:-1]:
        members = msgspec.json.decode(members.get(name, b"{}"), type=Members)
    return _id_in(members[path[-1]]) if path[-1] in members else None


def _id_in(raw: msgspec.Raw) -> Id | None:
    try:
        return _ID.decode(raw)
    except msgspec.ValidationError:
        try:
            return _FLOAT.decode(raw)
        except msgspec.ValidationError:
            pass
        raise


def document_file(source: Input, options: FileOptions) -> Source[DocumentItem]:
    """A source of documents from one file: a single object over any number of lines, or NDJSON.

    Raises:
        UnknownSource: the mapping names what documents or the file do not have.
        OSError: the file cannot be opened.
    """
    documents = _Documents(source.file, options)
    if is_lines(source):
        require_members(source, options.columns.values())
        return Source(
            source.file,
            source.size,
            lambda progress: documents.lines(source, progress),
            JsonLines(source),
        )
    named = plain_stem(source.name) or None
    return Source(
        source.file, source.size, lambda progress: documents.file(source, named, progress)
    )


def document_folder(folder: Path, options: FileOptions) -> Source[DocumentItem]:
    """A source of documents from a folder with JSON files in it and below it.

    A file that has its user in a member of its own, beside `data`, is read like a line of NDJSON.
    Any other file is a document as a whole. Its user is in the member that a mapping names; else it
    is the name of the top-level subfolder; else the file's own name. NDJSON files are read line by
    line, and files with other suffixes are counted as skipped.

    Raises:
        UnknownSource: there are no documents, or the mapping names what they do not have.
    """
    inside = [(path, path.relative_to(folder)) for path in files_below(folder, hidden=True)]
    files = [(FileInput(path, folder), place) for path, place in inside]
    return _files(str(folder), "a folder", files, options)


def document_archive(archive: Input, options: FileOptions) -> Source[DocumentItem]:
    """The same from a zip archive.

    Raises:
        UnknownSource: as for a folder, or the archive cannot be read.
    """
    files = [(member, member.inside) for member in members_of(archive)]
    return _files(archive.file, "an archive", files, options)


def _files(
    file: str, what: str, files: Sequence[tuple[Input, PurePath]], options: FileOptions
) -> Source[DocumentItem]:
    documents = _Documents(file, options)
    if not any(_is_document(place) for _, place in files):
        raise UnknownSource(f"{file}: {what} without JSON files")

    def read(progress: Progress) -> Documents:
        for source, place in files:
            if not _is_document(place):
                reason = HIDDEN if is_hidden(place) else OTHER_FILE
                yield Skipped(source.file, 1, reason, is_file=True)
                continue
            named = place.parts[0] if len(place.parts) > 1 else plain_stem(place.name)
            yield from documents.file(source, named, Progress())
            progress.position += source.size

    return Source(file, sum(one.size for one, place in files if _is_document(place)), read)


def _is_document(place: PurePath) -> bool:
    return not is_hidden(place) and plain_suffix(place.name) in {".json", *LINES}


def is_lines(source: Input) -> bool:
    """Whether a file is NDJSON rather than one object, by its name or its content.

    A single line is an object in a file named `.json`, and a line of NDJSON in others.
    """
    suffix = plain_suffix(source.name)
    if suffix in LINES:
        return True
    first, _, rest = source.peek(PEEKED_BYTES).removeprefix(BOM).lstrip().partition(b"\n")
    if _is_object(first):
        return suffix != ".json" or bool(rest.strip())
    return suffix != ".json" and not _is_object(source.peek(MAX_LINE_BYTES).removeprefix(BOM))


def _is_object(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=Members)
    except MISREAD:
        return False
    return True

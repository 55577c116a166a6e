"""Where the bytes of a source come from, and of what kind they are.

An input is a file, a stream, or a member of a zip archive. Its name shows its kind, unless how it
begins shows something else.

Every input is read from its first byte to its last; `pipes` has those that can be read only once.
Parquet and zip need to seek: if they come from a stream, they are spooled to a temporary file
without a name, which is as large as the stream and vanishes with the program.
"""

import codecs
import io
import shutil
import tempfile
import weakref
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

from uptake.files import CannotOpen, open_below
from uptake.uploader.sources import Progress, UnknownSource
from uptake.uploader.sources.streams import (
    BLOCK_BYTES,
    BOM,
    MAGIC_BYTES,
    Counted,
    Prefixed,
    RawStream,
    Recoded,
    codec_of,
    read_up_to,
    require_plausible,
    unpacked,
)

HIDDEN = "a hidden file"

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

PEEKED_BYTES = 4096

SUFFIXES = {
    ".xml": "xml",
    ".zip": "zip",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
COMPRESSED_SUFFIXES = frozenset({".gz", ".gzip", ".zst", ".zstd"})
"""Left out to see the suffix of the content; whether it is compressed, the content shows."""

_BEGINNINGS = {b"PK\x03\x04": "zip", b"PAR1": "parquet", b"<": "xml", b"{": "ndjson"}
_NAMES = {
    "xml": "an Apple Health export.xml",
    "ndjson": "NDJSON",
    "csv": "CSV",
    "parquet": "Parquet",
}

DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""Raised for archives that are damaged, encrypted or compressed in an unusual way."""


class Input(ABC):
    """Bytes with a name.

    Attributes:
        file: the name in reports.
        name: the file's own name, with a suffix that may show its kind; "" of a stream.
        size: bytes on disk; 0 when not known.
    """

    def __init__(self, file: str, name: str, size: int) -> None:
        self.file = file
        self.name = name
        self.size = size
        self._spooled: IO[bytes] | None = None

    @abstractmethod
    def _raw(self, progress: Progress) -> io.RawIOBase | IO[bytes]:
        """The bytes as they are stored, from the first."""

    def open(self, progress: Progress) -> io.RawIOBase:
        """The content from its first byte, decompressed if it is compressed.

        Raises:
            OSError: it cannot be opened, or is a stream that was read before.
        """
        return unpacked(self._raw(progress))

    def peek(self, count: int) -> bytes:
        """The beginning of the content; less of one that is damaged.

        Raises:
            OSError: it cannot be opened, or is damaged from its beginning.
        """
        with self.open(Progress()) as content:
            head = read_undamaged(content, count)
        if head:
            return head
        # Of a small file, the damage may only be found after its last byte.
        with self.open(Progress()) as content:
            return content.read(count)

    def seekable(self) -> str | IO[bytes]:
        """The content as a file with random access: a path, or an open file."""
        if self._spooled is None:
            spooled = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the input
            weakref.finalize(self, spooled.close)
            with self.open(Progress()) as content:
                shutil.copyfileobj(content, spooled, BLOCK_BYTES)
            self._spooled = spooled
        self._spooled.seek(0)
        return self._spooled


def read_undamaged(content: io.RawIOBase, count: int) -> bytes:
    """So many bytes; fewer at the end, or up to where the content is damaged."""
    head = b""
    try:
        while len(head) < count and (chunk := content.read(count - len(head))):
            head += chunk
    except (OSError, *DAMAGED_ZIP):
        pass  # reading it will report that
    return head


class RecodedInput(Input):
    """Another input of text, in UTF-8."""

    def __init__(self, source: Input, encoding: str) -> None:
        super().__init__(source.file, source.name, source.size)
        self._source = source
        self._encoding = encoding

    def _raw(self, progress: Progress) -> io.RawIOBase:
        return Recoded(self._source.open(progress), self._encoding)

    def open(self, progress: Progress) -> io.RawIOBase:
        """The converted content."""
        return self._raw(progress)

    def peek(self, count: int) -> bytes:
        """The converted beginning of the content."""
        beginning = io.BytesIO(self._source.peek(count))
        return read_undamaged(Recoded(Prefixed(b"", beginning), self._encoding), count)


class FileInput(Input):
    """A regular file."""

    def __init__(self, path: Path, below: Path | None = None) -> None:
        """Name it.

        Args:
            path: the file.
            below: the folder that it must be in when it is opened, wherever links lead.
        """
        status = path.stat() if below is None else path.lstat()
        super().__init__(str(path), path.name, status.st_size)
        self._path = path
        self._below = below

    def _raw(self, progress: Progress) -> io.RawIOBase:
        if self._below is None:
            return Counted(self._path.open("rb", buffering=0), progress)
        try:
            return Counted(open_below(self._below, self._path), progress)
        except CannotOpen as error:
            raise OSError(None, f"the file {error}") from error

    def seekable(self) -> str | IO[bytes]:
        """The file itself, unless it is compressed or a link could replace it."""
        if self._below is not None:
            return super().seekable()
        with self._raw(Progress()) as raw:
            compressed = codec_of(read_up_to(raw, MAGIC_BYTES))
        return super().seekable() if compressed else str(self._path)


class MemberInput(Input):
    """A file in a zip archive.

    All members of an archive share its open file and its list, because there may be some ten
    thousand, and reading the list takes as long as reading a small member.
    """

    def __init__(self, archive: Input, opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self.inside = PurePosixPath(member.filename)
        file = f"{archive.file}/{member.filename}"
        super().__init__(file, self.inside.name, member.compress_size)
        self._archive = archive  # closes `opened` when it is no longer used
        self._opened = opened
        self._member = member

    def _raw(self, progress: Progress) -> io.RawIOBase:
        return _Member(self._opened, self._member, progress)


class _Member(RawStream):
    """A member's content; where it is damaged, `read` raises an `OSError`."""

    def __init__(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, progress: Progress
    ) -> None:
        self._member = member
        self._progress = progress
        self._count = 0
        try:
            self._content = archive.open(member)
        except (*DAMAGED_ZIP, ValueError) as error:
            raise OSError(None, f"the archive cannot be read: {error}") from error

    def read(self, size: int = -1, /) -> bytes:
        """Read."""
        try:
            chunk = self._content.read(size)
        except DAMAGED_ZIP as error:
            raise OSError(None, f"the archive is damaged: {error}") from error
        self._count += len(chunk)
        packed, whole = self._member.compress_size, max(self._member.file_size, 1)
        require_plausible(packed, self._count)
        self._progress.position = packed * min(self._count, whole) // whole
        return chunk

    def close(self) -> None:
        """Close it; the archive stays open."""
        if not self.closed:
            self._content.close()
        super().close()


def members_of(archive: Input) -> list[MemberInput]:
    """The files in a zip archive, in order of name.

    Raises:
        UnknownSource: the archive cannot be read.
    """
    try:
        opened = zipfile.ZipFile(archive.seekable())
    except (*DAMAGED_ZIP, ValueError) as error:
        raise UnknownSource(
            f"{archive.file}: the archive cannot be read: damaged or incomplete ({error});"
            " copy it again"
        ) from error
    weakref.finalize(archive, opened.close)
    found = [member for member in opened.infolist() if not member.is_dir()]
    if any(member.filename == "xl/workbook.xml" for member in found):
        raise UnknownSource(f"{archive.file}: is an Excel workbook; save its sheet as CSV (UTF-8)")
    found.sort(key=lambda member: member.filename)
    return [MemberInput(archive, opened, member) for member in found]


def is_hidden(inside: PurePath) -> bool:
    """Whether a file in an archive was added by an operating system."""
    return any(part.startswith(".") or part == "__MACOSX" for part in inside.parts)


def kind_of(source: Input, what: str, kinds: Sequence[str]) -> str:
    """Which of these kinds an input is; `what` are the items that it should have, for the message.

    Text that begins like none of the others and has no suffix, such as a stream, is CSV.

    Raises:
        UnknownSource: it is none of them.
        OSError: it cannot be read.
    """
    begin = source.peek(PEEKED_BYTES).removeprefix(BOM).lstrip()
    if codec_of(begin) is not None:
        raise UnknownSource(f"{source.file}: is compressed twice; unpack it once")
    if begin.startswith(b"["):
        raise UnknownSource(
            f"{source.file}: begins as a JSON array; NDJSON has one object on each line;"
            f" convert it: jq -c '.[]' FILE > items.ndjson"
        )
    suffix = plain_suffix(source.name)
    kind = SUFFIXES.get(suffix)
    for magic, found in _BEGINNINGS.items():
        if begin.startswith(magic) and (kind != "csv" or found in {"zip", "parquet"}):
            kind = found
    is_utf16 = begin.startswith(UTF16)
    if is_utf16 and kind != "csv" and begin.decode("utf-16", "ignore").lstrip().startswith("{"):
        raise UnknownSource(
            f"{source.file}: is UTF-16, and JSON is UTF-8; convert it:"
            f" iconv -f utf-16 -t utf-8 FILE > items.ndjson"
        )
    is_text = is_utf16 or (begin and b"\0" not in begin)
    if kind is None and not suffix and "csv" in kinds and is_text:
        kind = "csv"
    if kind is None or kind not in kinds:
        raise UnknownSource(f"{source.file}: of no kind that can be read; {readable(what, kinds)}")
    return kind


def plain_suffix(name: str) -> str:
    """The suffix that shows what is inside, in lower case: `.csv` for `steps.csv.gz`."""
    return _unpacked_name(name).suffix.lower()


def plain_stem(name: str) -> str:
    """A file's name without that suffix: `ada@example.org` for `ada@example.org.json.gz`."""
    return _unpacked_name(name).stem


def _unpacked_name(name: str) -> PurePath:
    path = PurePath(name)
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED_SUFFIXES else path


def readable(what: str, kinds: Sequence[str]) -> str:
    """What items are read from, for messages."""
    *most, last = (_NAMES[kind] for kind in kinds if kind in _NAMES)
    listed = f"{', '.join(most)} or {last}" if most else last
    return f"{what} are read from {listed}{', or a zip archive' if 'zip' in kinds else ''}"

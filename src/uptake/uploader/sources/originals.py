"""Rows of text files as they are in the file, with the reasons why they were rejected.

Rows are found by the lines on which they begin: the file is read a second time, without parsing
what is not wanted.

- NDJSON: a line that is an object gets a member `refused`. Any other line stays as it is, and the
  reasons are in a line of their own before it.
- CSV: a row stays as it is, after three cells with file, line and reasons. Lines before the header
  are copied too, so that the options of the original fit. A row that does not end, because of a
  quote, becomes a single quoted cell, or two in a table of one column, which never fits the header.
"""

import codecs
import csv
import io
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np

from uptake.model.problems import MSGSPEC_TRUNCATED
from uptake.uploader.sources import Mark, Originals, Progress, Unreadable
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.streams import line_blocks

REJECTED = "refused"
"""The member that the uploader adds to a line of NDJSON that was rejected."""

MARKS = tuple(f"rejected.{name}" for name in ("file", "line", "reasons"))
"""The columns that the uploader adds to rows of CSV that were rejected."""

NOT_A_ROW = "not a row"
"""The cell after a row that does not end, in a table of one column."""

MISREAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not the JSON that was expected."""

_OTHER_VALUE = re.compile("Expected `object`, got `[a-z]+`")

FORMULA = ("=", "+", "-", "@")
"""How cells begin that spreadsheets compute."""

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Rows(Originals):
    """Finds rows in blocks of whole rows."""

    @abstractmethod
    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole rows, each with the number of its first line."""

    def _row(self, block: bytes, start: int, end: int) -> bytes:
        """The row that begins at `start`; its first line ends at `end`."""
        return block[start:end]

    def rows(self, lines: Iterator[int]) -> Iterator[tuple[int, bytes]]:
        """The rows that begin on these lines."""
        wanted = next(lines, None)
        if wanted is None:
            return
        for first, block in self._blocks():
            if wanted >= first + block.count(b"\n") + 1:
                continue
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
            if not block.endswith(b"\n"):
                ends = np.append(ends, len(block))
            while wanted < first + len(ends):
                if wanted >= first:
                    start = int(ends[wanted - first - 1]) if wanted > first else 0
                    yield wanted, self._row(block, start, int(ends[wanted - first]))
                wanted = next(lines, None)
                if wanted is None:
                    return


class JsonLines(_Rows):
    """The lines of an NDJSON file; those with one of the members `enclosing` are requests."""

    suffix = ".ndjson"
    head = b""

    def __init__(self, source: Input, enclosing: Iterable[str] = ()) -> None:
        self._source = source
        self._enclosing = frozenset(enclosing)

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        with self._source.open(Progress()) as stream:
            for found in line_blocks(stream, self._source.file):
                if not isinstance(found, Unreadable):
                    yield found

    def is_item(self, row: bytes) -> bool:
        """Whether a line is no request."""
        try:
            members = _MEMBERS.decode(row)
        except MISREAD:
            return True
        return all(bytes(members.get(name, b"null")) == b"null" for name in self._enclosing)

    def marked(self, row: bytes, mark: Mark) -> bytes:
        """A line with the reasons."""
        return marked_line(row, mark.refused)


def reason_of(error: Exception) -> str:
    """Why bytes are not the JSON that was expected, from an error of `MISREAD`."""
    match error, str(error):
        case UnicodeDecodeError(), _:
            return "is not UTF-8; convert the file to UTF-8"
        case RecursionError(), _:
            return "is nested too deeply"
        case _, reason if reason == MSGSPEC_TRUNCATED:
            return "is not complete JSON"
        case _, reason if _OTHER_VALUE.fullmatch(reason):
            return "is not a JSON object"
        case _, reason:
            return reason.replace("JSON is malformed", "is not JSON")


def marked_line(text: bytes, refused: bytes) -> bytes:
    """A line of NDJSON with the reasons in it; before it if it is no object."""
    try:
        members = _MEMBERS.decode(text)
    except MISREAD:
        return b"".join((b'{"refused":', refused, b"}\n", text.strip(b"\r\n"), b"\n"))
    return msgspec.json.encode({**members, REJECTED: msgspec.Raw(refused)}) + b"\n"


class CsvRows(_Rows):
    """The rows of a CSV file."""

    suffix = ".csv"

    def __init__(  # noqa: PLR0913 - the form of a file
        self,
        blocks: Callable[[], Iterator[tuple[int, bytes]]],
        preamble: bytes,
        names: list[str],
        delimiter: str,
        *,
        line_end: str,
        marks: int,
        encoding: str | None,
    ) -> None:
        """Describe the file.

        Args:
            blocks: reads blocks of its rows, each with the number of its first line.
            preamble: what is before the header.
            names: all cells of the header, without those of `MARKS`.
            delimiter: between cells.
            line_end: of the header.
            marks: how many cells at the beginning of a row are those of `MARKS`.
            encoding: of the file; None if its bytes are copied.
        """
        self._all_blocks = blocks
        self._delimiter = delimiter
        self._columns = len(names)
        cell, end = cell_of(delimiter.encode()), re.escape(delimiter.encode())
        self._row_pattern = re.compile(rb"%b(?:%b%b)*+\n" % (cell, end, cell))
        self._old_marks = re.compile(rb"(?:%b%b){%d}" % (cell, end, marks))
        # Some encodings have a mark at the beginning of a file: one encoder writes all of it.
        name = encoding or "utf-8"
        self._encode = codecs.getincrementalencoder(name)("surrogateescape").encode
        self._encoding = name
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
        writer.writerow([*MARKS, *names])
        self.head = self._encoded(preamble + text.getvalue().encode())

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        return self._all_blocks()

    def _row(self, block: bytes, start: int, end: int) -> bytes:
        found = self._row_pattern.match(block, start)
        return found[0] if found else block[start:end]

    def is_item(self, row: bytes) -> bool:  # noqa: ARG002 - every row is
        """Always."""
        return True

    def marked(self, row: bytes, mark: Mark) -> bytes:
        """A row after the cells with file, line and reasons."""
        old = self._old_marks.match(row)
        row = row[old.end() :] if old else row
        if self._row_pattern.fullmatch(row) is None:
            text = row.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
            cells = [text] if self._columns > 1 else [text, NOT_A_ROW]
            row = self._cells(*cells).encode("utf-8", "surrogateescape") + b"\n"
        values = (mark.file, str(mark.line), mark.reason)
        plain = [f"'{one}" if one.startswith(FORMULA) else one for one in values]
        marks = self._cells(*plain).encode(self._encoding, "replace").decode(self._encoding)
        return self._encoded((marks + self._delimiter).encode("utf-8", "surrogateescape") + row)

    def _cells(self, *values: str) -> str:
        return self._delimiter.join('"' + value.replace('"', '""') + '"' for value in values)

    def _encoded(self, text: bytes) -> bytes:
        return self._encode(text.decode("utf-8", "surrogateescape"))


def cell_of(delimiter: bytes) -> bytes:
    """A pattern of a cell of CSV, which may be empty (RFC 4180, and its common variants)."""
    end = re.escape(delimiter)
    return rb'(?:"(?:[^"]++|"")*+"[^%b\n]*+|[^"%b\n][^%b\n]*+|)' % (end, end, end)

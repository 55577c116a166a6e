"""CSV files as batches of rows of text, each with the line on which it begins (RFC 4180).

Cells are not converted: every value is text. Header names are not changed, except that spaces
around a name that is looked for are ignored. Blank lines are ignored. Rows of empty cells are
counted as skipped, and rows that do not fit the header are reported. The columns of a file of
rejected rows that have the reasons are ignored, see `originals`.

The delimiter is detected from the header and the first rows. It is the candidate with which most of
the wanted names are found; then with which most rows have as many cells as the header; then with
which there are most columns.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from uptake.uploader.sources import (
    FileOptions,
    Found,
    Progress,
    Skipped,
    UnknownSource,
    Unreadable,
    read_each,
)
from uptake.uploader.sources.inputs import Input, RecodedInput
from uptake.uploader.sources.originals import MARKS, CsvRows, cell_of
from uptake.uploader.sources.streams import (
    BOM,
    MAX_LINE_BYTES,
    REPLACEMENT,
    Readable,
    Utf8,
    read_up_to,
)

if TYPE_CHECKING:
    import _csv

BLOCK_BYTES = 1 << 20
"""Read at a time."""

HEADER_BYTES = 256 * 1024
"""Maximum size of a header, with the lines before it."""

DELIMITERS = ",;\t|"
"""Candidates; any other character can be given as an option."""

SAMPLED_ROWS = 50
"""Rows by which a delimiter is detected."""

EMPTY_ROW = "an empty row"
NO_NAME = "has a cell in a column without a name"
NOT_CLOSED = "a quote is not closed, or the row is far too long"


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a table, and the lines or rows of the file in which they begin."""

    batch: pa.RecordBatch
    lines: pa.Array


@dataclass(frozen=True, slots=True)
class _Header:
    """The header of a file.

    Attributes:
        names: of the columns.
        unnamed: columns without a name after these, as from delimiters at the ends of lines.
        delimiter: between cells.
        size: bytes up to the first row.
        lines: lines up to the first row.
        marks: columns of `MARKS`, which are ignored.
        preamble: what is before the header.
        line_end: of the header.
    """

    names: list[str]
    unnamed: int
    delimiter: str
    size: int
    lines: int
    marks: int
    preamble: bytes
    line_end: str


class CsvTable:
    """A CSV file with a header.

    Attributes:
        file: its name.
        columns: the names in its header, without columns at the end that have no name.
        originals: the rows as they are in the file.
    """

    def __init__(
        self, source: Input, options: FileOptions, wanted: Sequence[str], *, quoted_empty: bool
    ) -> None:
        """Read the header.

        Args:
            source: the file.
            options: its form.
            wanted: names that are looked for.
            quoted_empty: whether `""` is empty text, where an empty cell without quotes is null;
                else both are null.

        Raises:
            UnknownSource: there is no header that can be read.
            OSError: the file cannot be opened.
        """
        self.file = source.file
        self._source = source
        self._not_text = "is not UTF-8; name the encoding of the file with --encoding, e.g. cp1252"
        if options.encoding is not None:
            self._source = source = RecodedInput(source, options.encoding)
            self._not_text = f"is not {options.encoding}"
        header = self._header = _header_of(source, options, [*wanted, *MARKS])
        self.columns = [name for name in header.names if name not in MARKS]
        self._unnamed = [f"\0{place}" for place in range(header.unnamed)]
        names = [f"\0{i}.{name}" if name in MARKS else name for i, name in enumerate(header.names)]
        self._names = [*names, *self._unnamed]
        self.originals = CsvRows(
            self._texts,
            header.preamble,
            [*header.names[header.marks :], *("" for _ in self._unnamed)],
            header.delimiter,
            line_end=header.line_end,
            marks=header.marks,
            encoding=options.encoding,
        )
        self._convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(self._names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=not quoted_empty,
        )

    def parts(self, progress: Progress) -> Iterator[Found[Part]]:
        """The rows in their order; of each part first those that cannot be read."""
        header = self._header
        with self._source.open(progress) as file:
            read_up_to(file, header.size)
            stream = Utf8(file)
            blocks = _row_blocks(stream, header.delimiter, self.file, 1 + header.lines)
            yield from read_each(blocks, lambda block: self._parsed(*block, stream))

    def _texts(self) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole rows with every byte of the file, each with the line it begins on."""
        header = self._header
        with self._source.open(Progress()) as file:
            read_up_to(file, header.size)
            for found in _row_blocks(file, header.delimiter, self.file, 1 + header.lines):
                yield (found.line, found.text) if isinstance(found, Unreadable) else found

    def _parsed(self, line: int, text: bytes, stream: Utf8) -> Iterator[Found[Part]]:
        rejected: list[pacsv.InvalidRow] = []

        def reject(row: pacsv.InvalidRow) -> str:
            rejected.append(row)
            return "skip"

        table = pacsv.read_csv(
            pa.BufferReader(text),
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=len(text) + 1, column_names=self._names
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self._header.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=reject,
            ),
            convert_options=self._convert,
        ).combine_chunks()
        rejected.sort(key=lambda row: row.number)
        lines, rejected_lines = _lines(table, rejected, line)
        for row, at in zip(rejected, rejected_lines.tolist(), strict=True):
            others = "the rows before have" if self._unnamed else "the header has"
            reason = f"has {row.actual_columns} cells where {others} {row.expected_columns}"
            yield Unreadable(self.file, at, reason, row.text.encode())

        stored = np.zeros(table.num_rows, np.bool_)
        read = table.select([*self.columns, *self._unnamed])
        for column in read.columns:
            stored |= column.is_valid().to_numpy()
        if not stored.all():
            found = text.split(b"\n")
            empty = sum(bool(found[at].strip()) for at in (lines[~stored] - line).tolist())
            if empty:
                yield Skipped(self.file, empty, EMPTY_ROW)
        faults = [(pc.greater(pc.binary_length(table[name]), 0), NO_NAME) for name in self._unnamed]
        if stream.has_replaced:
            faults += [
                (pc.match_substring(one, REPLACEMENT), self._not_text) for one in read.columns
            ]
        for which, reason in faults:
            wrong = stored & which.fill_null(False).to_numpy()
            found = text.split(b"\n") if wrong.any() else []
            for at in lines[wrong].tolist():
                yield Unreadable(self.file, at, reason, found[at - line])
            stored &= ~wrong
        if stored.any():
            (batch,) = table.select(self.columns).to_batches()
            mask = pa.array(stored)
            yield Part(batch.filter(mask), pa.array(lines).filter(mask))


def _header_of(source: Input, options: FileOptions, wanted: Sequence[str]) -> _Header:
    file = source.file
    whole = source.peek(HEADER_BYTES)
    start = len(BOM) if whole.startswith(BOM) else 0
    for _ in range(options.skip_rows):
        end = whole.find(b"\n", start)
        if end < 0:
            raise UnknownSource(f"{file}: has no header after {options.skip_rows} lines")
        start = end + 1
    begin = whole[start:]
    text = begin.decode("utf-8", "replace")
    delimiter = options.delimiter or max(
        DELIMITERS,
        key=lambda one: _fitness(text, one, set(wanted), cut=len(whole) == HEADER_BYTES),
    )
    rows = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    try:
        names = next(rows, [])
    except csv.Error as error:
        raise UnknownSource(f"{file}: the header cannot be read: {error}") from error
    lines = rows.line_num
    cells = len(names)
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnknownSource(f"{file}: has no header, which names the columns")
    size = sum(map(len, begin.split(b"\n")[:lines])) + lines
    header = begin[:size]
    if b"\0" in header or header.decode("utf-8", "ignore").encode() != header:
        encoding = options.encoding or "UTF-8; name the encoding of the file with --encoding"
        raise UnknownSource(f"{file}: the header is not {encoding}")
    names = _trimmed(names, wanted)
    marks = len(MARKS) if tuple(names[: len(MARKS)]) == MARKS else 0
    twice = sorted({name for name in names if names.count(name) > 1} - set(MARKS))
    if twice:
        raise UnknownSource(f"{file}: the header names {', '.join(twice)} twice")
    # A row that does not fit may be the first of a file of rejected rows.
    unnamed = cells - len(names) if marks else _unnamed(text, rows, delimiter, cells, len(names))
    line_end = "\r\n" if header.endswith(b"\r\n") else "\n"
    lines += options.skip_rows
    return _Header(names, unnamed, delimiter, start + size, lines, marks, whole[:start], line_end)


def _unnamed(text: str, rows: "_csv.Reader", delimiter: str, cells: int, named: int) -> int:
    """Columns without a name: those of the header, or delimiters at the end of the first row."""
    with suppress(csv.Error):  # reading the rows reports it
        for row in rows:
            if row:
                more = len(row) - named
                end = text.split("\n", rows.line_num)[rows.line_num - 1].rstrip("\r")
                return more if more >= 0 and end.endswith(delimiter * more) else cells - named
    return cells - named


def _trimmed(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The names, without spaces around a wanted one that is not found otherwise."""
    missing = set(wanted) - set(names)
    return [name.strip() if name.strip() in missing else name for name in names]


def _fitness(text: str, delimiter: str, wanted: set[str], *, cut: bool) -> tuple[int, float, int]:
    """How well a delimiter fits: names found, share of rows like the header, columns."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(islice(reader, SAMPLED_ROWS))
    if not rows:
        return (0, 0.0, 0)
    names, *others = rows
    if cut and others and len(rows) < SAMPLED_ROWS:
        others.pop()  # it may be cut off
    found = len(wanted & {name.strip() for name in names})
    width = len(names)
    filled = [row for row in others if row]
    alike = sum(_width(row, width) == width for row in filled)
    share = alike / len(filled) if filled else float(width > 1)
    return (found, share if width > 1 else 0.0, width)


def _width(row: Sequence[str], width: int) -> int:
    """The cells of a row, without empty ones beyond the header's."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    return len(row)


def _lines(
    table: pa.Table, rejected: Sequence[pacsv.InvalidRow], first: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lines on which the rows of a block begin, and those of its rejected rows."""
    is_rejected = np.zeros(table.num_rows + len(rejected), np.bool_)
    is_rejected[[row.number - 1 for row in rejected]] = True
    newlines = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        newlines += pc.count_substring(column, "\n").fill_null(0).to_numpy()
    heights = np.ones(len(is_rejected), np.int64)
    heights[~is_rejected] += newlines
    heights[is_rejected] += np.array([row.text.count("\n") for row in rejected], np.int64)
    lines = first + np.cumsum(heights) - heights
    return lines[~is_rejected], lines[is_rejected]


def _row_blocks(
    stream: Readable, delimiter: str, file: str, line: int
) -> Iterator[tuple[int, bytes] | Unreadable]:
    """Blocks of whole rows, each with the line on which it begins; `line` is the first one's.

    A row ends with a line, unless that is within quotes. If a quote is not closed within
    `MAX_LINE_BYTES`, its line is reported and left out.
    """
    rows = _rows_of(delimiter.encode())
    rest = b""
    while True:
        chunk = stream.read(BLOCK_BYTES) or b""
        text = b"".join((rest, chunk))
        if not chunk and not text.endswith(b"\n"):
            text += b"\n"
        while text:
            match = rows.match(text) if b'"' in text else None
            cut = match.end() if match else text.rfind(b"\n") + 1
            if cut:
                yield line, text[:cut]
                line += text.count(b"\n", 0, cut)
            text = text[cut:]
            if not text or (chunk and len(text) <= MAX_LINE_BYTES):
                break
            end = text.find(b"\n") + 1 or len(text)
            yield Unreadable(file, line, NOT_CLOSED, text[:end])
            text = text[end:]
            line += 1
        if not chunk:
            return
        rest = text


def _rows_of(delimiter: bytes) -> re.Pattern[bytes]:
    """Matches as many whole rows as there are (RFC 4180, and its common variants)."""
    end = re.escape(delimiter)
    cell = cell_of(delimiter)
    return re.compile(rb"(?:(?:%b%b)*+%b\n)*+" % (cell, end, cell))

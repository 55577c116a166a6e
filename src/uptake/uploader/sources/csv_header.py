"""The header of a CSV file: its names, its delimiter, and where the rows begin.

The delimiter is guessed from the header and the rows after it, as far as quotes allow: of the
characters that can be one it is that under which the names that are looked for are found, the rows
have as many cells as the header, and there are most columns, in this order.
"""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from uptake.uploader.sources import UnknownSource
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.streams import BOM

if TYPE_CHECKING:
    import _csv

HEADER_BYTES = 256 * 1024
"""What a header may take, with the lines before it."""

DELIMITERS = ",;\t|"
"""Those that are tried; any other one character can be given."""

LOOKED_AT = 50
"""Rows by which a delimiter is judged."""


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV file is written, as far as it cannot be seen.

    Attributes:
        delimiter: between cells; None to find out.
        skip_rows: lines before the header.
    """

    delimiter: str | None = None
    skip_rows: int = 0

    def __post_init__(self) -> None:
        delimiter = self.delimiter
        if delimiter is not None and not (
            len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n\0'
        ):
            raise UnknownSource(f"the delimiter {delimiter!r} is not one ASCII character")


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a file says.

    Attributes:
        names: of the columns.
        unnamed: columns without a name after these, as delimiters at the ends of lines make them.
        delimiter: between cells.
        size: bytes up to the first row.
        lines: lines up to the first row.
    """

    names: list[str]
    unnamed: int
    delimiter: str
    size: int
    lines: int


def header_of(source: Input, form: CsvForm, wanted: Sequence[str]) -> Header:
    """Read a file's header.

    Args:
        source: the file.
        form: how it is written.
        wanted: names that are looked for.

    Raises:
        UnknownSource: there is none that can be read.
        OSError: the file cannot be opened.
    """
    file = source.file
    whole = source.peek(HEADER_BYTES)
    start = len(BOM) if whole.startswith(BOM) else 0
    for _ in range(form.skip_rows):
        end = whole.find(b"\n", start)
        if end < 0:
            raise UnknownSource(f"{file}: has no header after {form.skip_rows} lines")
        start = end + 1
    begin = whole[start:]
    text = begin.decode("utf-8", "replace")
    delimiter = form.delimiter or _delimiter(text, wanted, cut=len(whole) == HEADER_BYTES)
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
    size = _end_of_line(begin, lines)
    if b"\0" in begin[:size] or not _is_utf8(begin[:size]):
        raise UnknownSource(f"{file}: the header is not UTF-8")
    names = _trimmed(names, wanted)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnknownSource(f"{file}: the header names {', '.join(twice)} twice")
    unnamed = _unnamed(text, rows, delimiter, cells, len(names))
    return Header(names, unnamed, delimiter, start + size, lines + form.skip_rows)


def _unnamed(text: str, rows: "_csv.Reader", delimiter: str, cells: int, named: int) -> int:
    """Columns without a name: those of the header, or as the first row's end has delimiters."""
    with suppress(csv.Error):  # of a row, which its reading reports
        for row in rows:
            if row:
                more = len(row) - named
                end = text.split("\n", rows.line_num)[rows.line_num - 1].rstrip("\r")
                return more if more >= 0 and end.endswith(delimiter * more) else cells - named
    return cells - named


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _end_of_line(text: bytes, lines: int) -> int:
    """Where so many lines end."""
    end = 0
    for _ in range(lines):
        found = text.find(b"\n", end)
        if found < 0:
            return len(text)
        end = found + 1
    return end


def _trimmed(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The names, without the spaces around one that is looked for and not there as it is."""
    missing = set(wanted) - set(names)
    return [name.strip() if name.strip() in missing else name for name in names]


def _delimiter(text: str, wanted: Sequence[str], *, cut: bool) -> str:
    return max(DELIMITERS, key=lambda one: _fitness(text, one, set(wanted), cut=cut))


def _fitness(text: str, delimiter: str, wanted: set[str], *, cut: bool) -> tuple[int, float, int]:
    """How well a delimiter fits: names found, share of rows like the header, columns."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(islice(reader, LOOKED_AT))
    if not rows:
        return (0, 0.0, 0)
    names, *others = rows
    if cut and others and len(rows) < LOOKED_AT:
        others.pop()  # it may go on
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

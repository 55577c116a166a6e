"""The header of a CSV file: its names, its delimiter, and where the rows begin.

The delimiter is detected from the header and the first rows. It is the candidate with which most of
the wanted names are found; then with which most rows have as many cells as the header; then with
which there are most columns.
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
from uptake.uploader.sources.options import FileOptions
from uptake.uploader.sources.streams import BOM

if TYPE_CHECKING:
    import _csv

HEADER_BYTES = 256 * 1024
"""Maximum size of a header, with the lines before it."""

DELIMITERS = ",;\t|"
"""Candidates; any other character can be given as an option."""

SAMPLED_ROWS = 50
"""Rows by which a delimiter is detected."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a file.

    Attributes:
        names: of the columns.
        unnamed: columns without a name after these, as from delimiters at the ends of lines.
        delimiter: between cells.
        size: bytes up to the first row.
        lines: lines up to the first row.
    """

    names: list[str]
    unnamed: int
    delimiter: str
    size: int
    lines: int


def header_of(source: Input, options: FileOptions, wanted: Sequence[str]) -> Header:
    """Read a file's header.

    Args:
        source: the file.
        options: its form.
        form: its options.
        wanted: names that are looked for.

    Raises:
        UnknownSource: there is none that can be read.
        OSError: the file cannot be opened.
    """
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
        raise UnknownSource(f"{file}: the header is not UTF-8")
    names = _trimmed(names, wanted)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnknownSource(f"{file}: the header names {', '.join(twice)} twice")
    unnamed = _unnamed(text, rows, delimiter, cells, len(names))
    return Header(names, unnamed, delimiter, start + size, lines + options.skip_rows)


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

"""CSV files as batches of rows of text, each with the line that it begins on (RFC 4180)."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from uptake.uploader.sources import UnknownSource, Unreadable
from uptake.uploader.sources.csv_blocks import row_blocks
from uptake.uploader.sources.file_source import Progress
from uptake.uploader.sources.streams import peeked, unpacked
from uptake.uploader.sources.utf8 import REPLACEMENT, Utf8

HEADER_BYTES = 256 * 1024
"""What a header may take."""

DELIMITERS = ",;\t|"
"""Those that are told apart, by which of them the header has most of."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file, and the lines they begin on."""

    batch: pa.RecordBatch
    lines: pa.Array


class CsvTable:
    """A CSV file with a header.

    Attributes:
        file: its name.
        columns: what its header names.
    """

    def __init__(self, path: Path, *, quoted_empty: bool) -> None:
        """Read the header.

        Args:
            path: of the file.
            quoted_empty: whether `""` is text without characters, where an empty cell without
                quotes is null; else both are null.

        Raises:
            UnknownSource: there is no header that can be read.
            OSError: the file cannot be opened.
        """
        self.file = str(path)
        self._path = path
        begin = peeked(path, HEADER_BYTES)
        text = begin.decode("utf-8-sig", "replace")
        self._delimiter = max(DELIMITERS, key=text.split("\n", 1)[0].count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        try:
            names = [name.strip() for name in next(rows, [])]
        except csv.Error as error:
            raise UnknownSource(f"{path}: the header cannot be read: {error}") from error
        if not any(names):
            raise UnknownSource(f"{path}: has no header, which names the columns")
        if any(REPLACEMENT in name or "\0" in name for name in names):
            raise UnknownSource(f"{path}: the header is not UTF-8")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UnknownSource(f"{path}: the header names {', '.join(twice)} twice")
        self.columns = names
        self._header_lines = rows.line_num
        self._convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=not quoted_empty,
        )

    def parts(self, progress: Progress) -> Iterator[Part | Unreadable]:
        """The rows in their order; of each part first those that cannot be read."""
        first_block = True
        with unpacked(self._path, progress) as file:
            stream = Utf8(file)
            for block in row_blocks(stream, self._delimiter, self.file):
                if isinstance(block, Unreadable):
                    yield block
                    continue
                line, text = block
                # Arrow counts the row that it skips, and begins at 1.
                places = _Places(1 + first_block, line + first_block * self._header_lines)
                yield from self._parsed(text, places, mended=stream.mended)
                first_block = False

    def _parsed(
        self, text: bytes, places: "_Places", *, mended: bool
    ) -> Iterator[Part | Unreadable]:
        refused: list[pacsv.InvalidRow] = []

        def refuse(row: pacsv.InvalidRow) -> str:
            refused.append(row)
            return "skip"

        table = pacsv.read_csv(
            pa.BufferReader(text),
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=len(text) + 1,
                column_names=self.columns,
                skip_rows_after_names=places.first - 1,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self._delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            convert_options=self._convert,
        ).combine_chunks()
        for batch in table.to_batches():
            yield from self._part(batch, places, refused, mended=mended)
        for row, line in places.pass_refused(refused):
            yield self._misshapen(row, line)

    def _part(
        self,
        batch: pa.RecordBatch,
        places: "_Places",
        refused: list[pacsv.InvalidRow],
        *,
        mended: bool,
    ) -> Iterator[Part | Unreadable]:
        lines, before = places.pass_rows(batch, refused)
        for row, line in before:
            yield self._misshapen(row, line)
        kept = np.zeros(batch.num_rows, np.bool_)
        for column in batch.columns:  # a row that says nothing is a blank line
            kept |= column.is_valid().to_numpy(zero_copy_only=False)
        if mended:
            for column in batch.columns:
                garbled = pc.match_substring(column, REPLACEMENT).fill_null(False)
                for row in np.flatnonzero(kept & garbled.to_numpy(zero_copy_only=False)).tolist():
                    yield Unreadable(self.file, int(lines[row]), "is not UTF-8")
                    kept[row] = False
        if kept.any():
            mask = pa.array(kept)
            yield Part(batch.filter(mask), pa.array(lines).filter(mask))

    def _misshapen(self, row: pacsv.InvalidRow, line: int) -> Unreadable:
        reason = f"has {row.actual_columns} cells where the header has {row.expected_columns}"
        return Unreadable(self.file, line, reason)


class _Places:
    """Where the next row is: Arrow counts rows, those it refuses included, and we count lines.

    Attributes:
        first: number of the next row among all, the header being 1.
        line: the line it begins on.
    """

    def __init__(self, first: int, line: int) -> None:
        self.first = first
        self.line = line

    def pass_rows(
        self, batch: pa.RecordBatch, refused: list[pacsv.InvalidRow]
    ) -> tuple[NDArray[np.int64], list[tuple[pacsv.InvalidRow, int]]]:
        """Go past a batch and the refused rows within it, which are taken from the list.

        Returns:
            The lines that the rows of the batch begin on, and the refused rows, each with its own.
        """
        refused.sort(key=lambda row: row.number)
        # How many rows of the batch come before each refused one.
        before = np.array([row.number - self.first - i for i, row in enumerate(refused)], np.int64)
        inside = int(np.searchsorted(before, batch.num_rows, side="right"))
        taken, before = refused[:inside], before[:inside]
        del refused[:inside]
        heights = _sums(1 + _newlines(batch))
        refused_heights = _sums(np.array([_height(row) for row in taken], np.int64))
        passed = np.searchsorted(before, np.arange(batch.num_rows), side="right")
        lines = self.line + heights[:-1] + refused_heights[passed]
        places = (self.line + heights[before] + refused_heights[:-1]).tolist()
        self.first += batch.num_rows + inside
        self.line += int(heights[-1] + refused_heights[-1])
        return lines, list(zip(taken, places, strict=True))

    def pass_refused(
        self, refused: list[pacsv.InvalidRow]
    ) -> Iterator[tuple[pacsv.InvalidRow, int]]:
        """Go past what was refused after the last batch."""
        for row in sorted(refused, key=lambda row: row.number):
            yield row, self.line
            self.line += _height(row)


def _sums(heights: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of all before each, and of all."""
    return np.concatenate([[0], np.cumsum(heights, dtype=np.int64)])


def _height(row: pacsv.InvalidRow) -> int:
    return 1 + int(row.text.count("\n"))


def _newlines(batch: pa.RecordBatch) -> NDArray[np.int64]:
    count = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        count += pc.count_substring(column, "\n").fill_null(0).to_numpy()
    return count

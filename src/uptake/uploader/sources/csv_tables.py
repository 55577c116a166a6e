"""CSV files as batches of rows of text, each with the line that it begins on (RFC 4180).

What is coerced: nothing in the cells, where every value is text, and nothing in the names of the
header, except that spaces around a name that is looked for are left out. Left out in silence are
blank lines alone. Rows of empty cells are counted as skipped, and rows that do not fit the header
are reported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from uptake.uploader.sources import Skipped, Unreadable
from uptake.uploader.sources.csv_blocks import row_blocks
from uptake.uploader.sources.csv_header import CsvForm, Header, header_of
from uptake.uploader.sources.file_source import Progress
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.unpacking import read_up_to
from uptake.uploader.sources.utf8 import REPLACEMENT, Utf8

EMPTY_ROW = "an empty row"

__all__ = ["CsvForm", "CsvTable", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file, and the lines they begin on."""

    batch: pa.RecordBatch
    lines: pa.Array


class CsvTable:
    """A CSV file with a header.

    Attributes:
        file: its name.
        columns: what its header names; columns without a name at the end are not among them.
    """

    def __init__(
        self, source: Input, form: CsvForm, wanted: Sequence[str], *, quoted_empty: bool
    ) -> None:
        """Read the header.

        Args:
            source: the file.
            form: how it is written.
            wanted: names that are looked for.
            quoted_empty: whether `""` is text without characters, where an empty cell without
                quotes is null; else both are null.

        Raises:
            UnknownSource: there is no header that can be read.
            OSError: the file cannot be opened.
        """
        self.file = source.file
        self._source = source
        self._header: Header = header_of(source, form, wanted)
        self.columns = self._header.names
        self._unnamed = [f"\0{place}" for place in range(self._header.unnamed)]
        names = [*self.columns, *self._unnamed]
        self._convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=not quoted_empty,
        )

    def parts(self, progress: Progress) -> Iterator[Part | Unreadable | Skipped]:
        """The rows in their order; of each part first those that cannot be read."""
        header = self._header
        with self._source.open(progress) as file:
            read_up_to(file, header.size)
            stream = Utf8(file)
            for block in row_blocks(stream, header.delimiter, self.file, 1 + header.lines):
                if isinstance(block, Unreadable):
                    yield block
                else:
                    yield from self._parsed(*block, mended=stream.mended)

    def _parsed(
        self, line: int, text: bytes, *, mended: bool
    ) -> Iterator[Part | Unreadable | Skipped]:
        places = _Places(line)
        rejected: list[pacsv.InvalidRow] = []

        def reject(row: pacsv.InvalidRow) -> str:
            rejected.append(row)
            return "skip"

        table = pacsv.read_csv(
            pa.BufferReader(text),
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=len(text) + 1,
                column_names=[*self.columns, *self._unnamed],
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self._header.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=reject,
            ),
            convert_options=self._convert,
        ).combine_chunks()
        for batch in table.to_batches():
            lines, before = places.pass_rows(batch, rejected)
            for row, at in before:
                yield self._misshapen(row, at)
            yield from self._sound(batch, lines, text, line, mended=mended)
        for row, at in places.pass_rejected(rejected):
            yield self._misshapen(row, at)

    def _sound(
        self,
        batch: pa.RecordBatch,
        lines: NDArray[np.int64],
        text: bytes,
        first: int,
        *,
        mended: bool,
    ) -> Iterator[Part | Unreadable | Skipped]:
        """The rows that are whole; first why the others are left out."""
        kept = np.zeros(batch.num_rows, np.bool_)
        for column in batch.columns:
            kept |= column.is_valid().to_numpy(zero_copy_only=False)
        if not kept.all():
            empty = _count_empty(text, (lines[~kept] - first).tolist())
            if empty:
                yield Skipped(self.file, empty, EMPTY_ROW)
        for name in self._unnamed:
            filled = pc.greater(pc.binary_length(batch[name]), 0).fill_null(False)
            yield from self._left_out(filled, lines, kept, "has a cell in a column without a name")
        for column in batch.columns if mended else ():
            garbled = pc.match_substring(column, REPLACEMENT).fill_null(False)
            yield from self._left_out(garbled, lines, kept, "is not UTF-8")
        if kept.any():
            mask = pa.array(kept)
            whole = batch.select(self.columns) if self._unnamed else batch
            yield Part(whole.filter(mask), pa.array(lines).filter(mask))

    def _left_out(
        self, which: pa.Array, lines: NDArray[np.int64], kept: NDArray[np.bool_], reason: str
    ) -> Iterator[Unreadable]:
        for row in np.flatnonzero(kept & which.to_numpy(zero_copy_only=False)).tolist():
            yield Unreadable(self.file, int(lines[row]), reason)
            kept[row] = False

    def _misshapen(self, row: pacsv.InvalidRow, line: int) -> Unreadable:
        others = "the rows before have" if self._unnamed else "the header has"
        reason = f"has {row.actual_columns} cells where {others} {row.expected_columns}"
        return Unreadable(self.file, line, reason)


def _count_empty(text: bytes, places: Sequence[int]) -> int:
    """How many of these lines of a block are rows of empty cells, and not blank."""
    found = text.split(b"\n")
    return sum(bool(found[place].strip()) for place in places)


class _Places:
    """Where the next row is: Arrow counts rows, those it rejects included, and we count lines.

    Attributes:
        first: number of the next row in the block; Arrow begins at 1.
        line: the line it begins on.
    """

    def __init__(self, line: int) -> None:
        self.first = 1
        self.line = line

    def pass_rows(
        self, batch: pa.RecordBatch, rejected: list[pacsv.InvalidRow]
    ) -> tuple[NDArray[np.int64], list[tuple[pacsv.InvalidRow, int]]]:
        """Go past a batch and the rejected rows within it, which are taken from the list.

        Returns:
            The lines that the rows of the batch begin on, and the rejected rows, each with its own.
        """
        rejected.sort(key=lambda row: row.number)
        # How many rows of the batch come before each rejected one.
        before = np.array([row.number - self.first - i for i, row in enumerate(rejected)], np.int64)
        inside = int(np.searchsorted(before, batch.num_rows, side="right"))
        taken, before = rejected[:inside], before[:inside]
        del rejected[:inside]
        heights = _sums(1 + _newlines(batch))
        rejected_heights = _sums(np.array([_height(row) for row in taken], np.int64))
        passed = np.searchsorted(before, np.arange(batch.num_rows), side="right")
        lines = self.line + heights[:-1] + rejected_heights[passed]
        places = (self.line + heights[before] + rejected_heights[:-1]).tolist()
        self.first += batch.num_rows + inside
        self.line += int(heights[-1] + rejected_heights[-1])
        return lines, list(zip(taken, places, strict=True))

    def pass_rejected(
        self, rejected: list[pacsv.InvalidRow]
    ) -> Iterator[tuple[pacsv.InvalidRow, int]]:
        """Go past what was rejected after the last batch."""
        for row in sorted(rejected, key=lambda row: row.number):
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

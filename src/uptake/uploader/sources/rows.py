"""Files with a row for each item and any columns, as rows of plain values."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from uptake.uploader.sources import UnknownSource, Unreadable
from uptake.uploader.sources.csv_tables import CsvTable
from uptake.uploader.sources.file_source import Progress, until_broken
from uptake.uploader.sources.json_lines import MISREAD, objects, require_members
from uptake.uploader.sources.parquet_tables import DAMAGED, ParquetTable, text

Value = str | int | float | bool
Row = dict[str, Value]


class Rows:
    """A CSV, NDJSON or Parquet file, its columns renamed by a mapping.

    What a row does not say is not in it: null, and in CSV an empty cell without quotes.
    """

    def __init__(
        self, path: Path, kind: str, columns: Mapping[str, str], needed: Sequence[str]
    ) -> None:
        """Look at what columns there are.

        Args:
            path: of the file.
            kind: `csv`, `ndjson` or `parquet`.
            columns: names to the file's own.
            needed: names that must be there, and of which alone Parquet's types are looked at; all
                columns when there are none.

        Raises:
            UnknownSource: a column is missing or holds something else than plain values.
            OSError: the file cannot be opened.
        """
        self.file = str(path)
        self._path = path
        self._names = {column: name for name, column in columns.items()}
        self._table: CsvTable | ParquetTable | None = None
        if kind == "ndjson":
            require_members(path, columns.values(), self.file)
            return
        wanted = [columns.get(name, name) for name in needed] + list(columns.values())
        if kind == "csv":
            self._table = CsvTable(path, quoted_empty=True)
            _require(self.file, wanted, self._table.columns)
        else:
            self._table = ParquetTable(path)
            _require(self.file, wanted, self._table.schema.names)
            self._table.require_text(self._table.schema.names)

    def read(self, progress: Progress) -> Iterator[tuple[int, Row] | Unreadable]:
        """Each row and the line it stands on."""
        for found in self._found(progress):
            if isinstance(found, Unreadable):
                yield found
            else:
                line, row = found
                yield line, {self._names.get(name, name): value for name, value in row.items()}

    def _found(self, progress: Progress) -> Iterator[tuple[int, Row] | Unreadable]:
        if self._table is None:
            for found in objects(self._path, progress):
                if isinstance(found, Unreadable):
                    yield found
                else:
                    yield self._decoded(*found)
        elif isinstance(self._table, CsvTable):
            for part in self._table.parts(progress):
                if isinstance(part, Unreadable):
                    yield part
                else:
                    yield from _told(part.lines.to_pylist(), part.batch)
        else:
            yield from until_broken(_rows(self._table, progress), self.file, DAMAGED)

    def _decoded(
        self, line: int, members: Mapping[str, msgspec.Raw]
    ) -> tuple[int, Row] | Unreadable:
        row: Row = {}
        for name, raw in members.items():
            try:
                value = _VALUES.decode(raw)
            except MISREAD:
                reason = f"the member {name[:60]!r} is neither text nor a number, true or false"
                return Unreadable(self.file, line, reason)
            if value is not None:
                row[name] = value
        return line, row


_VALUES: msgspec.json.Decoder[Value | None] = msgspec.json.Decoder(Value | None)


def _require(file: str, wanted: Sequence[str], found: Sequence[str]) -> None:
    for name in wanted:
        if name not in found:
            raise UnknownSource(f"{file}: no column {name!r}; found: {', '.join(found)}")


def _rows(table: ParquetTable, progress: Progress) -> Iterator[tuple[int, Row]]:
    names = table.schema.names
    for first, batch in table.batches(names, progress):
        columns = [_plain(column) for column in batch.columns]
        lines = range(first, first + batch.num_rows)
        yield from _told(lines, pa.RecordBatch.from_arrays(columns, names=names))


def _told(lines: Sequence[int], batch: pa.RecordBatch) -> Iterator[tuple[int, Row]]:
    for line, row in zip(lines, batch.to_pylist(), strict=True):
        yield line, {name: value for name, value in row.items() if _is_told(value)}


def _is_told(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _plain(column: pa.Array) -> pa.Array:
    """Numbers and booleans as they are, all else as text."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column
    return text(column)

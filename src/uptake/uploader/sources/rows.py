"""Files with a row for each item and any columns, as rows of plain values.

What is coerced: nothing in CSV, where every value is text. In NDJSON and Parquet numbers, booleans
and text stay what they are, and other types of Parquet become text as `parquet_columns` states.
What a row does not have is not in it: null, NaN in a floating-point column of Parquet, which is how
other programs mark what is missing, and in CSV an empty cell without quotes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from uptake.uploader.sources import Skipped, UnknownSource, Unreadable
from uptake.uploader.sources.csv_tables import CsvForm, CsvTable
from uptake.uploader.sources.file_source import Progress, until_broken
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.json_lines import MISREAD, objects, require_members
from uptake.uploader.sources.parquet_columns import Converted, as_ids, as_values
from uptake.uploader.sources.parquet_tables import DAMAGED, ParquetTable

USER_ID = "user_id"

Value = str | int | float | bool
Row = dict[str, Value]


class Rows:
    """A CSV, NDJSON or Parquet file, its columns renamed by a mapping."""

    def __init__(
        self,
        source: Input,
        kind: str,
        columns: Mapping[str, str],
        needed: Sequence[str],
        form: CsvForm,
    ) -> None:
        """Look at what columns there are.

        Args:
            source: the file.
            kind: `csv`, `ndjson` or `parquet`.
            columns: names to the file's own.
            needed: names that must be there.
            form: how CSV is written.

        Raises:
            UnknownSource: a column is missing or holds something else than plain values.
            OSError: the file cannot be opened.
        """
        self.file = source.file
        self.size = source.size
        self._source = source
        self._names = {column: name for name, column in columns.items()}
        self._user_column = columns.get(USER_ID, USER_ID)
        self._table: CsvTable | ParquetTable | None = None
        if kind == "ndjson":
            require_members(source, columns.values())
            return
        wanted = [columns.get(name, name) for name in needed] + list(columns.values())
        if kind == "csv":
            self._table = CsvTable(source, form, [*wanted, USER_ID], quoted_empty=True)
            _require(self.file, wanted, self._table.columns)
        else:
            self._table = ParquetTable(source)
            _require(self.file, wanted, self._table.schema.names)
            others = [name for name in self._table.schema.names if name != self._user_column]
            self._table.require_text(others)
            self._table.require_ids([self._user_column])

    def read(self, progress: Progress) -> Iterator[tuple[int, Row] | Unreadable | Skipped]:
        """Each row and the line it begins on."""
        for found in self._found(progress):
            if isinstance(found, Unreadable | Skipped):
                yield found
            else:
                line, row = found
                yield line, {self._names.get(name, name): value for name, value in row.items()}

    def _found(self, progress: Progress) -> Iterator[tuple[int, Row] | Unreadable | Skipped]:
        if self._table is None:
            for found in objects(self._source, progress):
                if isinstance(found, Unreadable):
                    yield found
                else:
                    yield self._decoded(*found)
        elif isinstance(self._table, CsvTable):
            for part in self._table.parts(progress):
                if isinstance(part, Unreadable | Skipped):
                    yield part
                else:
                    yield from _filled(part.lines.to_pylist(), part.batch)
        else:
            yield from until_broken(self._converted(self._table, progress), self.file, DAMAGED)

    def _converted(
        self, table: ParquetTable, progress: Progress
    ) -> Iterator[tuple[int, Row] | Unreadable]:
        names = table.schema.names
        for first, batch in table.batches(names, progress):
            columns = {
                name: (as_ids if name == self._user_column else as_values)(batch[name])
                for name in names
            }
            lines = pa.array(range(first, first + batch.num_rows), pa.int64())
            good, faults = sound_rows(columns, lines, self.file)
            yield from faults
            arrays = [column.values for column in columns.values()]
            rows = pa.RecordBatch.from_arrays(arrays, names=names)
            if good is not None:
                rows, lines = rows.filter(good), lines.filter(good)
            yield from _filled(lines.to_pylist(), rows)

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


def sound_rows(
    columns: Mapping[str, Converted], lines: pa.Array, file: str
) -> tuple[pa.Array | None, list[Unreadable]]:
    """Which rows can be converted, None for all of them, and the others with the reasons."""
    faults: dict[int, str] = {}
    for name, column in columns.items():
        for row, reason in column.faults.items():
            faults.setdefault(row, f"column {name[:60]!r}: {reason}")
    if not faults:
        return None, []
    good = pc.invert(pc.is_in(pa.array(range(len(lines))), pa.array(list(faults))))
    return good, [
        Unreadable(file, lines[row].as_py(), reason) for row, reason in sorted(faults.items())
    ]


def _require(file: str, wanted: Sequence[str], found: Sequence[str]) -> None:
    for name in wanted:
        if name not in found:
            raise UnknownSource(f"{file}: no column {name!r}; found: {', '.join(found)}")


def _filled(lines: Sequence[int], batch: pa.RecordBatch) -> Iterator[tuple[int, Row]]:
    rows: list[dict[str, Any]] = batch.to_pylist()
    for line, row in zip(lines, rows, strict=True):
        yield line, {name: value for name, value in row.items() if value is not None}

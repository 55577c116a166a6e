"""Files with a row for each item and any columns, as rows of plain values.

In CSV every value is text. In NDJSON and Parquet numbers, booleans and text keep their types, and
other types of Parquet become text, see `parquet_columns`. Missing values are not in a row: null,
NaN in a floating-point column of Parquet, and in CSV an empty cell without quotes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from uptake.uploader.sources import (
    ProfileRow,
    Progress,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
)
from uptake.uploader.sources.csv_tables import CsvTable, Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.json_lines import MISREAD, objects, require_members
from uptake.uploader.sources.options import FileOptions
from uptake.uploader.sources.parquet_columns import as_ids, as_values
from uptake.uploader.sources.parquet_tables import ParquetTable
from uptake.uploader.sources.user_ids import user_of

USER_ID = "user_id"

Value = str | int | float | bool
Row = dict[str, Value]
Found = Iterator[tuple[int, Row] | Unreadable | Skipped]


class Rows:
    """A CSV, NDJSON or Parquet file, its columns renamed by a mapping.

    Args:
        source: the file.
        kind: `csv`, `ndjson` or `parquet`.
        options: the mapping, and the form of CSV.
        needed: names of columns that are required besides the user's.

    Raises:
        UnknownSource: a column is missing, or of another type than plain values.
        OSError: the file cannot be opened.
    """

    def __init__(
        self, source: Input, kind: str, options: FileOptions, needed: Sequence[str] = ()
    ) -> None:
        self.file = source.file
        self.size = source.size
        self._user = options.user
        self._read: Callable[[Progress], Found]
        columns = options.columns
        self._names = {column: name for name, column in columns.items()}
        user_column = columns.get(USER_ID, USER_ID)
        wanted = [columns.get(name, name) for name in needed] + list(columns.values())
        if options.user is None:
            wanted.insert(0, user_column)
        if kind == "ndjson":
            require_members(source, columns.values())
            self._read = partial(_lines, source)
        elif kind == "csv":
            csv = CsvTable(source, options, [*wanted, USER_ID], quoted_empty=True)
            _require(self.file, wanted, csv.columns)
            self._read = lambda progress: _filled(csv.parts(progress))
        else:
            table = ParquetTable(source)
            _require(self.file, wanted, table.columns)
            table.require_types(user_column, [one for one in table.columns if one != user_column])
            conversions = {
                one: (one, as_ids if one == user_column else as_values) for one in table.columns
            }
            self._read = lambda progress: _filled(table.parts(conversions, progress))

    def read(self, progress: Progress) -> Iterator[tuple[int, str, Row] | Unreadable | Skipped]:
        """Each row with the line on which it begins, and its user."""
        for found in self._read(progress):
            if isinstance(found, Unreadable | Skipped):
                yield found
                continue
            line, row = found
            if self._names:
                row = {self._names.get(name, name): value for name, value in row.items()}
            user = user_of(row.pop(USER_ID, None), self._user, self.file, line)
            yield user if isinstance(user, Unreadable) else (line, user, row)


def profile_rows(source: Input, kind: str, options: FileOptions) -> Source[ProfileRow]:
    """A source of profiles: a row for each user, with an attribute in every column but `user_id`.

    Raises:
        UnknownSource: a column is missing, or of another type than plain values.
        OSError: the file cannot be opened.
    """
    rows = Rows(source, kind, options)

    def read(progress: Progress) -> Iterator[ProfileRow | Unreadable | Skipped]:
        for found in rows.read(progress):
            if isinstance(found, Unreadable | Skipped):
                yield found
            else:
                line, user, attributes = found
                yield ProfileRow(user, attributes, rows.file, line)

    return Source(rows.file, rows.size, read)


_VALUES: msgspec.json.Decoder[Value | None] = msgspec.json.Decoder(Value | None)


def _lines(source: Input, progress: Progress) -> Found:
    for found in objects(source, progress):
        yield found if isinstance(found, Unreadable) else _decoded(source.file, *found)


def _decoded(
    file: str, line: int, members: Mapping[str, msgspec.Raw]
) -> tuple[int, Row] | Unreadable:
    row: Row = {}
    for name, raw in members.items():
        try:
            value = _VALUES.decode(raw)
        except MISREAD:
            reason = f"the member {name[:60]!r} is neither text nor a number, true or false"
            return Unreadable(file, line, reason)
        if value is not None:
            row[name] = value
    return line, row


def _require(file: str, wanted: Sequence[str], found: Sequence[str]) -> None:
    for name in wanted:
        if name not in found:
            raise UnknownSource(f"{file}: no column {name!r}; found: {', '.join(found)}")


def _filled(parts: Iterator[Part | Unreadable | Skipped]) -> Found:
    for part in parts:
        if isinstance(part, Unreadable | Skipped):
            yield part
            continue
        rows: list[dict[str, Any]] = part.batch.to_pylist()
        for line, row in zip(part.lines.to_pylist(), rows, strict=True):
            yield line, {name: value for name, value in row.items() if value is not None}

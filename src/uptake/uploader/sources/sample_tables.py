"""Samples in tables: Parquet and CSV files with a row for each.

In CSV an empty cell is a missing value, in quotes or not.
"""

from collections.abc import Iterator

import pyarrow as pa

from uptake.uploader.sources import Progress, Skipped, Source, UnknownSource, Unreadable
from uptake.uploader.sources.csv_tables import CsvTable, Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.options import FileOptions
from uptake.uploader.sources.parquet_columns import Converted, as_ids, as_text, shortest
from uptake.uploader.sources.parquet_tables import ParquetTable
from uptake.uploader.sources.sample_columns import NAMES, mapped, readable, resolved


def sample_table(source: Input, kind: str, options: FileOptions) -> Source[pa.RecordBatch]:
    """A source of samples from a CSV or Parquet file.

    Raises:
        UnknownSource: it is not such a file, lacks columns, or has them of other types.
        OSError: it cannot be opened.
    """
    file = source.file
    if kind == "csv":
        known = mapped(options.columns, file)
        wanted = [known.get(name, name) for name in NAMES] + ["data_type"]
        csv = CsvTable(source, options, wanted, quoted_empty=False)
        places = resolved(csv.columns, options, file)
        parts = csv.parts
    else:
        table = ParquetTable(source)
        columns = resolved(table.columns, options, file)
        _require_types(table, columns)
        places = {name: name for name in columns}
        conversions = {
            name: (column, _CONVERT.get(name, as_text)) for name, column in columns.items()
        }

        def parts(progress: Progress) -> Iterator[Part | Unreadable | Skipped]:
            return table.parts(conversions, progress)

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        for part in parts(progress):
            if isinstance(part, Unreadable | Skipped):
                yield part
            else:
                arrays = {name: part.batch[place] for name, place in places.items()}
                yield from readable(arrays, part.lines, options, file)

    return Source(file, source.size, read)


def _require_types(table: ParquetTable, places: dict[str, str]) -> None:
    others = [place for name, place in places.items() if name != "user_id"]
    table.require_types(places.get("user_id", ""), others)
    value = table.schema.field(places["value"]).type
    if pa.types.is_boolean(value) or pa.types.is_temporal(value):
        raise UnknownSource(
            f"{table.file}: column {places['value']!r} is of type {value}, not numbers"
        )


def _numeric(column: pa.Array) -> Converted:
    """Numbers as they are, text as text."""
    kind = column.type
    if pa.types.is_floating(kind):
        return Converted(shortest(column))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return Converted(column.cast(pa.float64(), safe=False))
    return as_text(column)


_CONVERT = {"user_id": as_ids, "value": _numeric}

"""Samples in tables: Parquet and CSV files with a row for each.

What is coerced: what `sample_columns`, `sample_times`, `parquet_columns` and `user_ids` state. In
CSV an empty cell is a missing value, in quotes or not.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from uptake.uploader.sources import Skipped, UnknownSource, Unreadable
from uptake.uploader.sources.csv_tables import CsvForm, CsvTable
from uptake.uploader.sources.file_source import FileSource, Progress, until_broken
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.parquet_columns import Converted, as_ids, as_text, shortest
from uptake.uploader.sources.parquet_tables import DAMAGED, ParquetTable
from uptake.uploader.sources.rows import sound_rows
from uptake.uploader.sources.sample_columns import NAMES, Defaults, mapped, readable, resolved


def sample_parquet(
    source: Input, columns: Mapping[str, str], defaults: Defaults
) -> FileSource[pa.RecordBatch]:
    """A source of samples from a Parquet file.

    Raises:
        UnknownSource: it is no Parquet file, lacks columns, or has them of other types.
        OSError: it cannot be opened.
    """
    table = ParquetTable(source)
    places = resolved(table.schema.names, mapped(columns, table.file), defaults, table.file)
    table.require_ids([place for name, place in places.items() if name == "user_id"])
    table.require_text([place for name, place in places.items() if name != "user_id"])
    value = table.schema.field(places["value"]).type
    if pa.types.is_boolean(value) or pa.types.is_temporal(value):
        raise UnknownSource(
            f"{table.file}: column {places['value']!r} is of type {value}, not numbers"
        )
    wanted = list(dict.fromkeys(places.values()))

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        for first, batch in table.batches(wanted, progress):
            converted = {
                name: _CONVERT.get(name, as_text)(batch[at]) for name, at in places.items()
            }
            lines = pa.array(np.arange(first, first + batch.num_rows))
            good, faults = sound_rows(converted, lines, table.file)
            arrays = {name: column.values for name, column in converted.items()}
            yield from faults
            if good is not None:
                arrays = {name: array.filter(good) for name, array in arrays.items()}
                lines = lines.filter(good)
            yield from readable(arrays, lines, defaults, table.file)

    return FileSource(
        table.file, source.size, lambda progress: until_broken(read(progress), table.file, DAMAGED)
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


def sample_csv(
    source: Input, columns: Mapping[str, str], defaults: Defaults, form: CsvForm
) -> FileSource[pa.RecordBatch]:
    """A source of samples from a CSV file.

    Raises:
        UnknownSource: it has no header, or its header lacks columns.
        OSError: the file cannot be opened.
    """
    known = mapped(columns, source.file)
    wanted = [known.get(name, name) for name in NAMES] + ["data_type"]
    table = CsvTable(source, form, wanted, quoted_empty=False)
    places = resolved(table.columns, known, defaults, table.file)

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        for part in table.parts(progress):
            if isinstance(part, Unreadable | Skipped):
                yield part
            else:
                arrays = {name: part.batch[place] for name, place in places.items()}
                yield from readable(arrays, part.lines, defaults, table.file)

    return FileSource(table.file, source.size, read)

"""Samples in tables: Parquet and CSV files with a row for each."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from uptake.uploader.sources import UnknownSource, Unreadable
from uptake.uploader.sources.csv_tables import CsvTable
from uptake.uploader.sources.file_source import FileSource, Progress, until_broken
from uptake.uploader.sources.parquet_tables import DAMAGED, ParquetTable, text
from uptake.uploader.sources.sample_columns import Defaults, mapped, readable, resolved


def sample_parquet(
    path: Path, columns: Mapping[str, str], defaults: Defaults
) -> FileSource[pa.RecordBatch]:
    """A source of samples from a Parquet file.

    Raises:
        UnknownSource: it is no Parquet file, lacks columns, or has them of other types.
        OSError: it cannot be opened.
    """
    table = ParquetTable(path)
    places = resolved(table.schema.names, mapped(columns, table.file), defaults, table.file)
    table.require_text(list(places.values()))
    value = table.schema.field(places["value"]).type
    if pa.types.is_boolean(value) or pa.types.is_temporal(value):
        raise UnknownSource(f"{path}: column {places['value']!r} is of type {value}, not numbers")
    wanted = list(dict.fromkeys(places.values()))

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable]:
        for first, batch in table.batches(wanted, progress):
            arrays = {name: text(batch[place]) for name, place in places.items() if name != "value"}
            arrays["value"] = _numeric(batch[places["value"]])
            lines = pa.array(np.arange(first, first + batch.num_rows))
            yield from readable(arrays, lines, defaults, table.file)

    return FileSource(path, lambda progress: until_broken(read(progress), table.file, DAMAGED))


def _numeric(column: pa.Array) -> pa.Array:
    """Numbers as they are, text as text."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    return text(column)


def sample_csv(
    path: Path, columns: Mapping[str, str], defaults: Defaults
) -> FileSource[pa.RecordBatch]:
    """A source of samples from a CSV file; an empty cell says nothing.

    Raises:
        UnknownSource: it has no header, or its header lacks columns.
        OSError: it cannot be opened.
    """
    table = CsvTable(path, quoted_empty=False)
    places = resolved(table.columns, mapped(columns, table.file), defaults, table.file)

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable]:
        for part in table.parts(progress):
            if isinstance(part, Unreadable):
                yield part
            else:
                arrays = {name: part.batch[place] for name, place in places.items()}
                yield from readable(arrays, part.lines, defaults, table.file)

    return FileSource(path, read)

"""Parquet files as batches of rows, streamed within row groups.

Times in the old INT96 form are read exactly, also those outside the range of 64-bit nanoseconds, in
which other programs turn 9999-12-31 into a day in 1816.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from uptake.uploader.sources import (
    Progress,
    Skipped,
    UnknownSource,
    Unreadable,
    until_broken,
)
from uptake.uploader.sources.csv_tables import Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.iso_times import int96
from uptake.uploader.sources.parquet_columns import Converted

ROWS = 16_384
"""Read at a time."""

BUFFER_BYTES = 1 << 20
"""Of a column chunk in memory, so that a row group of any size takes no more."""

DAMAGED = (pa.ArrowException, UnicodeDecodeError, MemoryError)
"""Raised for files with wrong sizes, types or encodings."""

Convert = Callable[[pa.Array], Converted]


class ParquetTable:
    """A Parquet file.

    Attributes:
        file: its name.
        schema: its columns.
        columns: their names.
    """

    def __init__(self, source: Input) -> None:
        self.file = source.file
        self._source = source
        try:
            with pq.ParquetFile(source.seekable()) as table:
                self.schema: pa.Schema = table.schema_arrow
                self.columns: list[str] = self.schema.names
                self._int96 = [
                    column.path
                    for column in map(table.schema.column, range(len(table.schema)))
                    if column.physical_type == "INT96" and column.path in self.columns
                ]
        except DAMAGED as error:
            raise UnknownSource(f"{self.file}: not a Parquet file: {error}") from error
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise UnknownSource(f"{self.file}: two columns are named {', '.join(twice)}")

    def parts(
        self, columns: Mapping[str, tuple[str, Convert]], progress: Progress
    ) -> Iterator[Part | Unreadable | Skipped]:
        """The rows with these columns; of each part first those that cannot be converted.

        Args:
            columns: for each name in the parts, the file's column and its conversion.
            progress: how much is read.
        """
        return until_broken(self._converted(columns, progress), self.file, DAMAGED)

    def _converted(
        self, columns: Mapping[str, tuple[str, Convert]], progress: Progress
    ) -> Iterator[Part | Unreadable]:
        wanted = list(dict.fromkeys(column for column, _ in columns.values()))
        for first, batch in self._batches(wanted, progress):
            lines = pa.array(np.arange(first, first + batch.num_rows))
            converted = {name: convert(batch[at]) for name, (at, convert) in columns.items()}
            arrays = [column.values for column in converted.values()]
            rows = pa.RecordBatch.from_arrays(arrays, names=list(converted))
            faults: dict[int, str] = {}
            for name, column in converted.items():
                for row, reason in column.faults.items():
                    faults.setdefault(row, f"column {name[:60]!r}: {reason}")
            for row, reason in sorted(faults.items()):
                yield Unreadable(self.file, first + row, reason)
            if faults:
                good = pc.invert(pc.is_in(pa.array(range(len(lines))), pa.array(list(faults))))
                rows, lines = rows.filter(good), lines.filter(good)
            yield Part(rows, lines)

    def _batches(
        self, columns: Sequence[str], progress: Progress
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows with these columns, each batch with the number of its first, from 1 on."""
        size, first = self._source.size, 1
        old = [name for name in columns if name in self._int96]
        coarse = self._read(old, "s") if old else None
        for batch in self._read(columns, None):
            if coarse is not None:
                seconds = next(coarse)
                for name in old:
                    exact = int96(seconds[name], batch[name])
                    batch = batch.set_column(batch.schema.get_field_index(name), name, exact)  # noqa: PLW2901
            yield first, batch
            first += batch.num_rows
            progress.position = size * (first - 1) // max(self._rows, 1)

    def _read(self, columns: Sequence[str], int96_unit: str | None) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(
            self._source.seekable(),
            pre_buffer=False,
            buffer_size=BUFFER_BYTES,
            coerce_int96_timestamp_unit=int96_unit,
        ) as table:
            self._rows = table.metadata.num_rows
            yield from table.iter_batches(ROWS, columns=list(columns), use_threads=False)

    def require_types(self, ids: str, others: Sequence[str]) -> None:
        """Check that a column has user ids, if there is one, and others text.

        Raises:
            UnknownSource: a column is of another type.
        """
        for name in [*others, *([ids] if ids in self.columns else [])]:
            kind = self.schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            checks, what = (_IDS, "user ids") if name == ids else (_TEXT, "text")
            if not any(check(kind) for check in checks):
                raise UnknownSource(f"{self.file}: column {name!r} is of type {kind}, not {what}")


_IDS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_null,
)
_TEXT = (*_IDS, pa.types.is_boolean, pa.types.is_timestamp, pa.types.is_date)

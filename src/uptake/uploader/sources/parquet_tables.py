"""Parquet files as batches of rows, streamed within row groups.

What is coerced: nothing. Times in the old INT96 form are read exactly, also those outside the range
of 64-bit nanoseconds, in which other programs let 9999-12-31 become a day in 1816.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from uptake.uploader.sources import UnknownSource
from uptake.uploader.sources.file_source import Progress
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.iso_times import int96

ROWS = 16_384
"""Yielded at a time."""

BUFFER_BYTES = 1 << 20
"""Of a column chunk held at a time, so that a row group of any size takes no more."""

DAMAGED = (pa.ArrowException, UnicodeDecodeError, MemoryError)
"""Raised for files that say something else than they hold: sizes, types, encodings."""


class ParquetTable:
    """A Parquet file.

    Attributes:
        file: its name.
        schema: its columns.
    """

    def __init__(self, source: Input) -> None:
        self.file = source.file
        self._source = source
        try:
            with pq.ParquetFile(source.seekable()) as table:
                self.schema: pa.Schema = table.schema_arrow
                self._int96 = [
                    column.path
                    for column in map(table.schema.column, range(len(table.schema)))
                    if column.physical_type == "INT96" and column.path in self.schema.names
                ]
        except DAMAGED as error:
            raise UnknownSource(f"{self.file}: not a Parquet file: {error}") from error
        names = self.schema.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UnknownSource(f"{self.file}: two columns are named {', '.join(twice)}")

    def batches(
        self, columns: Sequence[str], progress: Progress
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows with these columns, each batch with the number of its first, from 1 on."""
        size, first = self._source.size, 1
        old = [name for name in columns if name in self._int96]
        coarse = self._read(old, "s") if old else None
        for batch in self._read(columns, None):
            count = batch.num_rows
            if coarse is not None:
                seconds = next(coarse)
                for name in old:
                    exact = int96(seconds[name], batch[name])
                    batch = batch.set_column(batch.schema.get_field_index(name), name, exact)  # noqa: PLW2901
            yield first, batch
            first += count
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

    def require_text(self, columns: Sequence[str]) -> None:
        """Raise `UnknownSource` unless these columns are of types that can be read as text."""
        self._require(columns, _TEXT, "text")

    def require_ids(self, columns: Sequence[str]) -> None:
        """Raise `UnknownSource` unless these columns, where there are any, are of types of ids."""
        self._require([name for name in columns if name in self.schema.names], _IDS, "user ids")

    def _require(self, columns: Sequence[str], checks: Sequence[object], what: str) -> None:
        for name in columns:
            kind = self.schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not any(check(kind) for check in checks):  # type: ignore[operator]
                raise UnknownSource(f"{self.file}: column {name!r} is of type {kind}, not {what}")


_IDS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_null,
)
_TEXT = (*_IDS, pa.types.is_boolean, pa.types.is_timestamp, pa.types.is_date)

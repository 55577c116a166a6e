"""Parquet files as batches of rows, streamed within row groups, of columns that hold text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from uptake.uploader.sources import UnknownSource
from uptake.uploader.sources.file_source import Progress
from uptake.uploader.sources.iso_times import iso

ROWS = 16_384
"""Yielded at a time."""

BUFFER_BYTES = 1 << 20
"""Of a column chunk held at a time, so that a row group of any size takes no more."""


DAMAGED = (pa.ArrowException, UnicodeDecodeError, MemoryError)
"""What is raised for files that say something else than they hold: sizes, types, encodings."""


class ParquetTable:
    """A Parquet file.

    Attributes:
        file: its name.
        schema: its columns.
    """

    def __init__(self, path: Path) -> None:
        self.file = str(path)
        self._path = path
        try:
            with pq.ParquetFile(path) as table:
                self.schema: pa.Schema = table.schema_arrow
        except DAMAGED as error:
            raise UnknownSource(f"{path}: not a Parquet file: {error}") from error

    def batches(
        self, columns: Sequence[str], progress: Progress
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows with these columns, each batch with the number of its first, from 1 on."""
        size, first = self._path.stat().st_size, 1
        with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=BUFFER_BYTES) as table:
            total = max(table.metadata.num_rows, 1)
            for batch in table.iter_batches(ROWS, columns=list(columns), use_threads=False):
                yield first, batch
                first += batch.num_rows
                progress.position = size * (first - 1) // total

    def require_text(self, columns: Sequence[str]) -> None:
        """Raise `UnknownSource` unless these columns are of types that `text` takes."""
        for name in columns:
            kind = self.schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not any(check(kind) for check in _TEXT):
                raise UnknownSource(f"{self.file}: column {name!r} is of type {kind}, not text")


_TEXT = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_null,
)


def text(column: pa.Array) -> pa.Array:
    """A column as strings: times in ISO 8601, whole numbers without a point.

    Raises:
        pa.ArrowException: it cannot be told as text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return text(column.dictionary).take(column.indices)
    if pa.types.is_timestamp(kind):
        return iso(column)
    if pa.types.is_floating(kind):
        # Where some are missing, other tools make floating-point numbers of whole ones.
        whole = pc.equal(pc.round(column), column)
        told = pc.if_else(whole, column, pa.scalar(None, kind)).cast(pa.int64(), safe=False)
        return pc.if_else(whole, told.cast(pa.string()), column.cast(pa.string()))
    return column if kind == pa.string() else column.cast(pa.string())

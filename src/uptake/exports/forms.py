"""Tables as the bytes of a file, written as they are read: Parquet, CSV, NDJSON and Arrow."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from uptake.exports import Compression, Form
from uptake.exports.sinks import Sink, Squeezed
from uptake.exports.tables import Table
from uptake.exports.texts import with_iso_times
from uptake.prefetch import prefetch

CHUNK_BYTES = 256 * 1024
"""At least so much is handed on at a time, the last part apart."""

UNRANGED = ("device_name", "device_version", "start_date", "end_date", "unit")
"""Columns of samples whose least and greatest text in a row group rule nothing out; telling them
takes a seventh of the time."""

Parts = Iterator[bytes]


def encoded(table: Table, form: Form, compression: Compression) -> Parts:
    """A table as the bytes of a file; never all of them at once."""
    ready = replace(table, batches=prefetch(table.batches))
    for part in _WRITERS[form](ready, compression):
        if part:
            yield part


class ParquetFile:
    """A Parquet file that is written row group by row group.

    Repeated names are kept as dictionaries, times as differences, which shrinks them more than any
    compression does; every reader since 2022 knows these encodings.
    """

    def __init__(self, where: Any, schema: pa.Schema, compression: Compression) -> None:
        named = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        moments = [field.name for field in schema if pa.types.is_timestamp(field.type)]
        dated = [name for name in ("start_date", "end_date") if name in schema.names]
        self._writer = pq.ParquetWriter(
            where,
            schema,
            compression=compression,
            use_dictionary=named or False,
            column_encoding=dict.fromkeys(moments, "DELTA_BINARY_PACKED")
            | dict.fromkeys(dated, "DELTA_BYTE_ARRAY"),
            write_statistics=[name for name in schema.names if name not in UNRANGED],
            # Whoever reads it sees text, not dictionaries that differ from file to file.
            store_schema=False,
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a row group."""
        self._writer.write_batch(batch, row_group_size=max(batch.num_rows, 1))

    def close(self) -> None:
        """Write what says where everything is."""
        self._writer.close()


def _parquet(table: Table, compression: Compression) -> Parts:
    sink = Sink()
    file = ParquetFile(pa.PythonFile(sink, "w"), table.schema, compression)
    for batch in table.batches:
        file.write(batch)
        yield sink.take()
    file.close()
    yield sink.take()


def _arrow(table: Table, compression: Compression) -> Parts:
    sink = Sink()
    codec = None if compression == "none" else compression
    options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=False)
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema, options=options) as writer:
        for batch in table.batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def _csv(table: Table, compression: Compression) -> Parts:
    header = ",".join(_quoted(name) for name in table.schema.names) + "\n"
    return _text(table, compression, header.encode(), _csv_lines)


def _ndjson(table: Table, compression: Compression) -> Parts:
    return _text(table, compression, b"", table.lines)


def _text(
    table: Table,
    compression: Compression,
    header: bytes,
    lines: Callable[[pa.RecordBatch], bytes],
) -> Parts:
    sink = Sink()
    out = Squeezed(sink, compression)
    out.write(header)
    for batch in table.batches:
        out.write(lines(batch))
        if sink.waiting >= CHUNK_BYTES:
            yield sink.take()
    out.close()
    yield sink.take()


def _csv_lines(batch: pa.RecordBatch) -> bytes:
    """Rows of CSV (RFC 4180, lines ending with LF); text in quotes, what is missing without."""
    sink = Sink()
    options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
    pacsv.write_csv(with_iso_times(batch), pa.PythonFile(sink, "w"), options)
    return sink.take()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_WRITERS: dict[Form, Callable[[Table, Compression], Parts]] = {
    "parquet": _parquet,
    "csv": _csv,
    "ndjson": _ndjson,
    "arrow": _arrow,
}

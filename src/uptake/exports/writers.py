"""Writes exports as Parquet, CSV, NDJSON and Arrow streams while their rows are read."""

import io
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from uptake.blobs import Blobs
from uptake.exports import Export, ExportQuery, Progress
from uptake.exports.forms import FORMS, Compression, FormName
from uptake.exports.samples import with_iso_times
from uptake.exports.tables import Table, commit_sequence_of, cursor_of, table_of
from uptake.prefetch import prefetch
from uptake.store.snapshot_ports import Snapshots

CHUNK_BYTES = 256 * 1024
"""Text is passed on in parts of at least this size, except for the last part."""

GZIP_LEVEL = 6
_GZIP_WINDOW = 31
"""zlib's largest window, in gzip's frame."""

NO_STATISTICS = ("device_name", "device_version", "start_date", "end_date", "unit")
"""Columns of samples for which minimum and maximum exclude no row group; to compute them would
take a seventh of the time."""

Parts = Generator[bytes, None, None]


class Sink(io.RawIOBase):
    """A write-only file in memory; its content is taken away while it is written.

    Attributes:
        written: bytes written so far.
        waiting: bytes that have not been taken yet.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.waiting = 0
        self.written = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Append bytes."""
        part = bytes(data)
        self._parts.append(part)
        self.waiting += len(part)
        self.written += len(part)
        return len(part)

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self.written

    def take(self) -> bytes:
        """Remove and return what was written since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        self.waiting = 0
        return taken


class CompressedSink:
    """Compresses bytes on their way to a sink."""

    def __init__(self, sink: Sink, compression: Compression) -> None:
        self._sink = sink
        self._gzip = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)
        self._zstd: Any = None
        if compression == "zstd":
            self._zstd = pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd")
        self._compression = compression

    def write(self, data: bytes) -> None:
        """Compress bytes."""
        if self._compression == "gzip":
            self._sink.write(self._gzip.compress(data))
        elif self._compression == "zstd":
            self._zstd.write(data)
        else:
            self._sink.write(data)

    def close(self) -> None:
        """Write what the compressor has buffered."""
        if self._compression == "gzip":
            self._sink.write(self._gzip.flush())
        elif self._compression == "zstd":
            self._zstd.close()


@contextmanager
def open_export(
    store: Snapshots, blobs: Blobs, query: ExportQuery, form: FormName, compression: Compression
) -> Iterator[Export]:
    """Open an export as one file, which can be read within the block.

    Raises:
        BadCursor: this server did not issue `since`.
        StoreUnavailable: the store cannot be read; reading the parts may raise it too, and
            `BlobsUnavailable`.
    """
    with store.snapshot(query.project) as snapshot:
        commit_sequence_of(query.since, snapshot)
        table = table_of(snapshot, blobs, query, FORMS[form].sample_rows)
        progress = Progress()
        counted = replace(table, batches=_counted(table.batches, progress))
        # The thread that reads ahead must stop before the snapshot is closed.
        with closing(encoded(counted, form, compression)) as parts:
            yield Export(cursor_of(snapshot.commit_sequence), parts, progress)


def _counted(batches: Iterator[pa.RecordBatch], progress: Progress) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        progress.rows += batch.num_rows
        yield batch


def encoded(table: Table, form: FormName, compression: Compression) -> Parts:
    """Yield the bytes of a file while a thread reads the next rows of the table."""
    write = resolve_name(FORMS[form].writer)
    with closing(prefetch(table.batches)) as batches:
        for part in write(replace(table, batches=batches), compression):
            if part:
                yield part


class ParquetFile:
    """A Parquet file that is written one row group at a time.

    Repeated names are dictionary-encoded and times delta-encoded, which saves more space than
    compression does; every reader since 2022 supports these encodings.
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
            write_statistics=[name for name in schema.names if name not in NO_STATISTICS],
            # Readers see strings rather than dictionaries that differ between files.
            store_schema=False,
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a row group."""
        self._writer.write_batch(batch, row_group_size=max(batch.num_rows, 1))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def write_parquet(table: Table, compression: Compression) -> Parts:
    """Yield a Parquet file with a row group for each batch."""
    sink = Sink()
    file = ParquetFile(pa.PythonFile(sink, "w"), table.schema, compression)
    for batch in table.batches:
        file.write(batch)
        yield sink.take()
    file.close()
    yield sink.take()


def write_arrow(table: Table, compression: Compression) -> Parts:
    """Yield an Arrow IPC stream."""
    sink = Sink()
    codec = None if compression == "none" else compression
    options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=False)
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema, options=options) as writer:
        for batch in table.batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def write_csv(table: Table, compression: Compression) -> Parts:
    """Yield CSV (RFC 4180, lines end with LF): strings in quotes, null without."""
    quoted = ('"' + name.replace('"', '""') + '"' for name in table.schema.names)
    header = ",".join(quoted) + "\n"
    return write_text(table, compression, _csv_lines, header.encode())


def write_ndjson(table: Table, compression: Compression) -> Parts:
    """Yield NDJSON: one JSON object on each line."""
    return write_text(table, compression, table.lines)


def write_text(
    table: Table,
    compression: Compression,
    lines: Callable[[pa.RecordBatch], bytes],
    header: bytes = b"",
) -> Parts:
    """Yield a compressed text file.

    Args:
        table: the rows.
        compression: of the file.
        lines: formats a batch.
        header: the first line, if any.
    """
    sink = Sink()
    out = CompressedSink(sink, compression)
    out.write(header)
    for batch in table.batches:
        out.write(lines(batch))
        if sink.waiting >= CHUNK_BYTES:
            yield sink.take()
    out.close()
    yield sink.take()


def _csv_lines(batch: pa.RecordBatch) -> bytes:
    sink = Sink()
    options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
    pacsv.write_csv(with_iso_times(batch), pa.PythonFile(sink, "w"), options)
    return sink.take()

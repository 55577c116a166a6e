"""An export as a folder of Parquet files, which DuckDB, Spark and pandas read as one table.

    manifest.json
    samples/metric=steps/month=2026-01/part-00000.parquet

The metric and the month, which is that of the sample's start in UTC, are in the names of folders
only, following Hive's convention.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from uptake import __version__
from uptake.blobs import Blobs
from uptake.exports import ExportQuery, Progress
from uptake.exports.forms import ROW_GROUP_SAMPLES, Compression
from uptake.exports.samples import SAMPLES, Block, blocks, gathered, record_batch
from uptake.exports.tables import commit_sequence_of, cursor_of, selections, table_of
from uptake.exports.writers import ParquetFile
from uptake.files import HashedFile
from uptake.model import clock
from uptake.prefetch import prefetch
from uptake.store.snapshot_ports import Snapshot, Snapshots
from uptake.time_units import TICKS_PER_SECOND

MANIFEST = "manifest.json"
READ_AT_ONCE = 1 << 15
"""Samples that are read while as many are written."""

MAX_BUFFERED = 1 << 20
"""Samples of all months that wait to be written: 70 MB."""

MAX_OPEN_FILES = 400
"""Operating systems allow a process 1024 or more."""


class File(Struct, frozen=True):
    """A file of an export; the path is relative to the manifest's folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """The content of an export.

    Attributes:
        version: of Uptake.
        kind, project, since: as in the query.
        created_at: when the export began, which is the moment that it shows. RFC 3339.
        cursor: the `since` of the next export.
        rows: of all files.
        files: all files except the manifest.
    """

    version: str = __version__
    kind: str
    project: str
    since: str | None
    created_at: str
    cursor: str
    rows: int
    files: list[File]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a folder is written.

    Attributes:
        folder: its path.
        compression: of the columns.
        progress: counts the rows.
    """

    folder: Path
    compression: Compression
    progress: Progress


def write_folder(store: Snapshots, blobs: Blobs, query: ExportQuery, target: Target) -> Manifest:
    """Create the folder and write an export into it; the manifest is the last file.

    Raises:
        BadCursor: this server did not issue `since`.
        StoreUnavailable, BlobsUnavailable: something cannot be read.
        OSError: something cannot be written.
    """
    created_at = clock.iso(clock.now())
    target.folder.mkdir()
    with store.snapshot(query.project) as snapshot:
        cursor = cursor_of(snapshot.commit_sequence)
        commit_sequence_of(query.since, snapshot)
        if query.kind == "samples":
            files = _write_samples(snapshot, query, target)
        else:
            files = _write_rows(snapshot, blobs, query, target)
    manifest = Manifest(
        kind=query.kind,
        project=query.project,
        since=query.since,
        created_at=created_at,
        cursor=cursor,
        rows=sum(file.rows for file in files),
        files=files,
    )
    with HashedFile(target.folder / MANIFEST) as out:
        out.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def _write_samples(snapshot: Snapshot, query: ExportQuery, target: Target) -> list[File]:
    partitions = Partitions(target, query.kind)
    found = blocks(snapshot, query, selections(snapshot, query))
    with closing(prefetch(gathered(found, READ_AT_ONCE))) as groups:
        for block in chain.from_iterable(groups):
            partitions.add(block)
            target.progress.rows += len(block)
    return partitions.close()


def _write_rows(snapshot: Snapshot, blobs: Blobs, query: ExportQuery, target: Target) -> list[File]:
    table = table_of(snapshot, blobs, query, ROW_GROUP_SAMPLES)
    file = PartFile(target, f"{query.kind}/part-00000.parquet", table.schema)
    with closing(prefetch(table.batches)) as batches:
        for batch in batches:
            file.write(batch)
            target.progress.rows += batch.num_rows
    return [file.close()]


class PartFile:
    """A Parquet file of a folder, hashed while it is written."""

    def __init__(self, target: Target, name: str, schema: pa.Schema) -> None:
        path = target.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._file = HashedFile(path)
        self._parquet = ParquetFile(pa.PythonFile(self._file, "w"), schema, target.compression)
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a row group."""
        self._parquet.write(batch)
        self._rows += batch.num_rows

    def close(self) -> File:
        """Sync the file to disk and return its entry in the manifest."""
        self._parquet.close()
        self._file.close()
        return File(self._name, self._rows, self._file.size, self._file.sha256)


class _Partition:
    """Buffered samples of one metric and month, and the file that they go to."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.rows = 0
        self.file: PartFile | None = None
        self.files = 0


class Partitions:
    """Writes samples to a file for each metric and month, in the order in which they are added.

    Args:
        target: the export.
        name: of the folder in it.
    """

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._name = name
        self._schema = pa.schema([field for field in SAMPLES if field.name != "metric"])
        # In the order in which they were last written to.
        self._partitions: dict[str, _Partition] = {}
        self._buffered = 0
        self._written: list[File] = []

    def add(self, block: Block) -> None:
        """Buffer samples, and write row groups that are complete."""
        for month, part in _by_month(block):
            name = f"{self._name}/metric={block.metric}/month={month}"
            partition = self._partitions.setdefault(name, _Partition())
            partition.blocks.append(part)
            partition.rows += len(part)
            self._buffered += len(part)
            if partition.rows >= ROW_GROUP_SAMPLES:
                self._flush(name)
        while self._buffered > MAX_BUFFERED:
            self._flush(max(self._partitions, key=lambda name: self._partitions[name].rows))

    def close(self) -> list[File]:
        """Write all buffered samples and return the files, sorted by path."""
        for name in list(self._partitions):
            self._flush(name)
        for partition in self._partitions.values():
            self._close(partition)
        return sorted(self._written, key=lambda file: file.path)

    def _flush(self, name: str) -> None:
        partition = self._partitions.pop(name)
        self._partitions[name] = partition  # moves it to the end
        if not partition.rows:
            return
        if partition.file is None:
            self._limit_open_files()
            path = f"{name}/part-{partition.files:05}.parquet"
            partition.file = PartFile(self._target, path, self._schema)
            partition.files += 1
        partition.file.write(record_batch(partition.blocks, self._schema))
        self._buffered -= partition.rows
        partition.blocks, partition.rows = [], 0

    def _limit_open_files(self) -> None:
        """Close the least recently written file; later samples of its month get another part."""
        is_open = [one for one in self._partitions.values() if one.file is not None]
        if len(is_open) >= MAX_OPEN_FILES:
            self._close(is_open[0])

    def _close(self, partition: _Partition) -> None:
        if partition.file is not None:
            self._written.append(partition.file.close())
            partition.file = None


def _by_month(block: Block) -> Iterator[tuple[str, Block]]:
    """Divide a block by the UTC month of the start."""
    months = (block.columns.start // TICKS_PER_SECOND).astype("M8[s]").astype("M8[M]")
    if months[0] == months[-1]:
        yield str(months[0]), block
        return
    changes = np.flatnonzero(months[1:] != months[:-1]) + 1
    for first, last in pairwise([0, *changes.tolist(), len(block)]):
        columns = block.columns.take(slice(first, last))
        yield str(months[first]), replace(block, columns=columns)

"""Samples on their way into a Parquet file for each metric and month, in bounded memory."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from msgspec import Struct

from uptake.exports import Compression
from uptake.exports.forms import ParquetFile
from uptake.exports.samples import ROWS_AT_ONCE, SCHEMA, Block, record_batch
from uptake.files import HashedFile
from uptake.time_units import TICKS_PER_SECOND

IN_NAMES = "metric"
"""The column that stands in the names of folders, as Hive has it, and not in the files."""

WAITING = 1 << 20
"""Samples that wait at most to be written, of all months: 70 MB."""

OPEN_FILES = 400
"""Files written at the same time: systems allow a process 1024 or more."""


class File(Struct, frozen=True):
    """A file of an export, by its path in the folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


class PartFile:
    """A Parquet file of a folder, hashed while it is written."""

    def __init__(
        self, folder: Path, name: str, schema: pa.Schema, compression: Compression
    ) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._file = HashedFile(path)
        self._parquet = ParquetFile(pa.PythonFile(self._file, "w"), schema, compression)
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a row group."""
        self._parquet.write(batch)
        self._rows += batch.num_rows

    def close(self) -> File:
        """What was written, which is on the disk now."""
        self._parquet.close()
        self._file.close()
        return File(self._name, self._rows, self._file.size, self._file.sha256)


class _Partition:
    """Samples of one metric and month that wait, and the file they go to."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.rows = 0
        self.file: PartFile | None = None
        self.files = 0


class Partitions:
    """Writes samples to the files of their months, in the order in which they are given.

    Args:
        folder: where the export goes.
        name: of a folder in it, for these.
        compression: of the columns.
    """

    def __init__(self, folder: Path, name: str, compression: Compression) -> None:
        self._folder = folder
        self._name = name
        self._compression = compression
        self._schema = pa.schema([field for field in SCHEMA if field.name != IN_NAMES])
        # Those with an open file in the order in which they were written to.
        self._partitions: dict[str, _Partition] = {}
        self._waiting = 0
        self._written: list[File] = []

    def add(self, block: Block) -> None:
        """Write some samples, now or later."""
        for month, part in _by_month(block):
            place = f"{self._name}/metric={block.metric}/month={month}"
            partition = self._partitions.setdefault(place, _Partition())
            partition.blocks.append(part)
            partition.rows += len(part)
            self._waiting += len(part)
            if partition.rows >= ROWS_AT_ONCE:
                self._flush(place)
        while self._waiting > WAITING:
            self._flush(max(self._partitions, key=lambda place: self._partitions[place].rows))

    def close(self) -> list[File]:
        """Write what waits; the files, in order of their paths."""
        for place in list(self._partitions):
            self._flush(place)
        for partition in self._partitions.values():
            self._close(partition)
        return sorted(self._written, key=lambda file: file.path)

    def _flush(self, place: str) -> None:
        partition = self._partitions.pop(place)
        self._partitions[place] = partition  # now the last that was written to
        if not partition.rows:
            return
        if partition.file is None:
            self._close_idle()
            name = f"{place}/part-{partition.files:05}.parquet"
            partition.file = PartFile(self._folder, name, self._schema, self._compression)
            partition.files += 1
        partition.file.write(record_batch(partition.blocks, self._schema))
        self._waiting -= partition.rows
        partition.blocks, partition.rows = [], 0

    def _close_idle(self) -> None:
        """Make place for a file: what comes for the one that is closed goes to another part."""
        written = [one for one in self._partitions.values() if one.file is not None]
        if len(written) >= OPEN_FILES:
            self._close(written[0])

    def _close(self, partition: _Partition) -> None:
        if partition.file is not None:
            self._written.append(partition.file.close())
            partition.file = None


def _by_month(block: Block) -> Iterator[tuple[str, Block]]:
    """A block in parts that start in one month each, in UTC."""
    months = (block.columns.start // TICKS_PER_SECOND).astype("M8[s]").astype("M8[M]")
    if months[0] == months[-1]:
        yield str(months[0]), block
        return
    changes = np.flatnonzero(months[1:] != months[:-1]) + 1
    for first, last in pairwise([0, *changes.tolist(), len(block)]):
        columns = block.columns.take(slice(first, last))
        yield str(months[first]), replace(block, columns=columns)

"""A folder of Parquet files, as DuckDB, Spark and pandas read one, and a manifest beside them.

    manifest.json
    samples/metric=steps/month=2026-01/part-00000.parquet

What is in the names of folders is not in the files. The month is that of the start, in UTC.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from uptake import __version__
from uptake.blobs import Blobs
from uptake.exports import Compression, Progress, Question
from uptake.exports.cursors import cursor_of, marks_of
from uptake.exports.exporting import table_of
from uptake.exports.partitions import File, PartFile, Partitions
from uptake.exports.samples import blocks, gathered
from uptake.files import HashedFile
from uptake.model import clock
from uptake.prefetch import prefetch
from uptake.store.base import Snapshot, Snapshots

MANIFEST = "manifest.json"
READ_AT_ONCE = 1 << 15
"""Samples that are read while as many are written."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What an export holds.

    Attributes:
        version: of Uptake.
        kind, project, since: as asked for.
        created_at: when it was begun; it holds what was kept then. RFC 3339.
        cursor: what the next export goes on from.
        rows: of all files.
        files: their paths are relative to the manifest's folder.
    """

    version: str = __version__
    kind: str
    project: str
    since: str | None
    created_at: str
    cursor: str
    rows: int
    files: list[File]


def write_folder(  # noqa: PLR0913, PLR0917 - what is read, and where it goes
    store: Snapshots,
    blobs: Blobs,
    question: Question,
    folder: Path,
    compression: Compression,
    progress: Progress,
) -> Manifest:
    """Write an export into a folder, which is made; the manifest is the last file.

    Raises:
        BadCursor: `since` was not given by this server.
        StoreUnavailable, BlobsUnavailable: something cannot be read.
        OSError: something cannot be written.
    """
    created_at = clock.iso(clock.now())
    folder.mkdir()
    with store.snapshot(question.project) as snapshot:
        cursor = cursor_of(snapshot.marks)
        if question.since is not None:
            marks_of(question.since, snapshot.marks)
        if question.kind == "samples":
            files = _samples(snapshot, question, folder, compression, progress)
        else:
            files = _rows(snapshot, blobs, question, folder, compression, progress)
    manifest = Manifest(
        kind=question.kind,
        project=question.project,
        since=question.since,
        created_at=created_at,
        cursor=cursor,
        rows=sum(file.rows for file in files),
        files=files,
    )
    with HashedFile(folder / MANIFEST) as out:
        out.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def _samples(
    snapshot: Snapshot,
    question: Question,
    folder: Path,
    compression: Compression,
    progress: Progress,
) -> list[File]:
    partitions = Partitions(folder, "samples", compression)
    for some in prefetch(gathered(blocks(snapshot, question), READ_AT_ONCE)):
        for block in some:
            partitions.add(block)
            progress.rows += len(block)
    return partitions.close()


def _rows(  # noqa: PLR0913, PLR0917 - what is read, and where it goes
    snapshot: Snapshot,
    blobs: Blobs,
    question: Question,
    folder: Path,
    compression: Compression,
    progress: Progress,
) -> list[File]:
    table = table_of(snapshot, blobs, question)
    name = f"{question.kind}/part-00000.parquet"
    file = PartFile(folder, name, table.schema, compression)
    for batch in prefetch(table.batches):
        file.write(batch)
        progress.rows += batch.num_rows
    return [file.close()]

"""An export as one file or stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from uptake.blobs import Blobs
from uptake.exports import Export, ExportQuery, Progress
from uptake.exports.forms import FORMS, Compression, FormName
from uptake.exports.tables import cursor_of, marks_of, table_of
from uptake.exports.writers import encoded
from uptake.store.base import Snapshots


@contextmanager
def open_export(
    store: Snapshots, blobs: Blobs, query: ExportQuery, form: FormName, compression: Compression
) -> Iterator[Export]:
    """Open an export, which can be read within the block.

    Raises:
        BadCursor: this server did not issue `since`.
        StoreUnavailable: the store cannot be read; reading the parts may raise it too, and
            `BlobsUnavailable`.
    """
    with store.snapshot(query.project) as snapshot:
        marks_of(query.since, snapshot)
        table = table_of(snapshot, blobs, query, FORMS[form].sample_rows)
        progress = Progress()
        counted = replace(table, batches=_counted(table.batches, progress))
        yield Export(cursor_of(snapshot.marks), encoded(counted, form, compression), progress)


def _counted(batches: Iterator[pa.RecordBatch], progress: Progress) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        progress.rows += batch.num_rows
        yield batch

"""An export: one question, answered from one snapshot, as the bytes of a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from uptake.blobs import Blobs
from uptake.exports import Compression, Export, Form, Progress, Question
from uptake.exports.cursors import cursor_of, marks_of
from uptake.exports.documents import documents
from uptake.exports.forms import encoded
from uptake.exports.profiles import profiles, users
from uptake.exports.rejections import rejections
from uptake.exports.samples import ROWS_AT_ONCE, TEXT_ROWS_AT_ONCE, samples
from uptake.exports.tables import Table
from uptake.store.base import Snapshot, Snapshots


@contextmanager
def opened(
    store: Snapshots, blobs: Blobs, question: Question, form: Form, compression: Compression
) -> Iterator[Export]:
    """An export that can be read while the block runs.

    Raises:
        BadCursor: `since` was not given by this server.
        StoreUnavailable: the store cannot be read; reading the parts may raise it too, and
            `BlobsUnavailable`.
    """
    with store.snapshot(question.project) as snapshot:
        if question.since is not None:
            marks_of(question.since, snapshot.marks)
        rows = ROWS_AT_ONCE if form == "parquet" else TEXT_ROWS_AT_ONCE
        table = table_of(snapshot, blobs, question, rows)
        progress = Progress()
        counted = replace(table, batches=_counted(table.batches, progress))
        yield Export(cursor_of(snapshot.marks), encoded(counted, form, compression), progress)


def _counted(batches: Iterator[pa.RecordBatch], progress: Progress) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        progress.rows += batch.num_rows
        yield batch


def table_of(
    snapshot: Snapshot, blobs: Blobs, question: Question, sample_rows: int = ROWS_AT_ONCE
) -> Table:
    """The answer to a question as a table; samples so many at a time."""
    match question.kind:
        case "samples":
            return samples(snapshot, question, sample_rows)
        case "profiles":
            return profiles(snapshot, question)
        case "documents":
            return documents(snapshot, question)
        case "rejections":
            return rejections(snapshot, question, blobs)
        case "users":
            return users(snapshot, question)

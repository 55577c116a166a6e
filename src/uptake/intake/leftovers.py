"""Bytes in the blob store that an entry put there for a user who turned out to be erased.

Bytes are stored before the row that names them is committed. When the commit stores no row, because
the user was erased in the meantime, nothing would name the bytes any more, and nothing remove them.
"""

from collections.abc import Sequence

from uptake.blobs import Blobs
from uptake.store.base import RejectionQueries
from uptake.store.records import Entry, Erased, ImageRecord, RejectionRecord, Written


def may_exist(entry: Entry, written: Sequence[Written]) -> bool:
    """Whether `remove` has something to look at: most entries have no bytes in the blob store."""
    if any(rejection.raw_blob is not None for rejection in entry.rejections):
        return True
    return any(
        isinstance(record, ImageRecord) and isinstance(outcome, Erased)
        for record, outcome in zip(entry.records, written, strict=True)
    )


def remove(store: RejectionQueries, blobs: Blobs, entry: Entry, written: Sequence[Written]) -> None:
    """Remove the bytes of an entry that no stored row names.

    Raises:
        StoreUnavailable, BlobsUnavailable: they may still be there.
    """
    names = [
        record.blob
        for record, outcome in zip(entry.records, written, strict=True)
        if isinstance(record, ImageRecord) and isinstance(outcome, Erased)
    ]
    names += [
        rejection.raw_blob
        for rejection in entry.rejections
        if rejection.raw_blob and not _is_stored(store, entry.project, rejection)
    ]
    if names:
        blobs.delete(names)


def _is_stored(store: RejectionQueries, project: str, rejection: RejectionRecord) -> bool:
    kept = store.rejection(project, rejection.rejection_id)
    return kept is not None and any(record.user_id == rejection.user_id for record in kept.records)

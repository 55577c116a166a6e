"""Erases a user: the rows in one transaction, then the bytes in the blob store.

The row of the erasure is marked as finished after the last byte. If the server stops before, the
next `resume` of any process finishes it, using the user's hash in that row.
"""

from contextlib import suppress

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.intake.blob_keys import IMAGES, REJECTED, earlier_key_prefix, key_prefix
from uptake.model import clock, ids
from uptake.store.base import Erasures, StoreUnavailable
from uptake.store.stored import Erasure


class Eraser:
    """Erases users, and finishes interrupted erasures."""

    def __init__(self, store: Erasures, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    def erase(self, project: str, user_id: str) -> Erasure:
        """Erase a user, known or not. A tombstone rejects data of the user that arrive later.

        Returns:
            The erasure; it is unfinished if the blob store cannot be reached.

        Raises:
            StoreUnavailable: nothing was erased.
        """
        erasure = self._store.erase(project, user_id, ids.time_ordered(), clock.now())
        # `Upkeep` scrubs again, thoroughly.
        with suppress(StoreUnavailable):
            self._store.scrub(thorough=False)
        try:
            self._remove_earlier(project, user_id)
            return self._finish(project, erasure)
        except BlobsUnavailable:
            return erasure

    def _remove_earlier(self, project: str, user_id: str) -> None:
        """Remove blobs under keys of an earlier version."""
        for kind in (IMAGES, REJECTED):
            prefix = earlier_key_prefix(kind, project, user_id)
            self._blobs.delete(list(self._blobs.names(prefix)))

    def resume(self) -> int:
        """Finish interrupted erasures of any process; returns their number.

        Raises:
            StoreUnavailable, BlobsUnavailable: some are left.
        """
        unfinished = self._store.unfinished_erasures()
        for project, erasure in unfinished:
            self._finish(project, erasure)
        return len(unfinished)

    def _finish(self, project: str, erasure: Erasure) -> Erasure:
        for kind in (IMAGES, REJECTED):
            prefix = key_prefix(kind, project, erasure.user_hash)
            self._blobs.delete(list(self._blobs.names(prefix)))
        self._store.finish_erasure(project, erasure.erasure_id, clock.now())
        return self._store.erasure(project, erasure.erasure_id) or erasure

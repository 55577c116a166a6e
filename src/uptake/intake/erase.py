"""A user taken away: rows in one transaction, then the bytes in the blob store.

The erasure's own row says until the end that bytes may be left. Whatever happens in between, the
next `resume` of any process finishes it: it needs no more than the hash that stands there.
"""

from contextlib import suppress

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.intake.blob_keys import IMAGES, REJECTED, earlier_key_prefix, key_prefix
from uptake.model import clock, ids
from uptake.store.base import Erasures, StoreUnavailable
from uptake.store.stored import Erasure


class Eraser:
    """Erases users, and finishes what was begun."""

    def __init__(self, store: Erasures, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    def erase(self, project: str, user_id: str) -> Erasure:
        """Erase a user, known or not; its tombstone keeps out what is still on its way.

        Returns:
            What was erased; unfinished where the blob store cannot be reached.

        Raises:
            StoreUnavailable: nothing was erased.
        """
        erasure = self._store.erase(project, user_id, ids.time_ordered(), clock.now())
        # `Upkeep` does so again, thoroughly.
        with suppress(StoreUnavailable):
            self._store.scrub(thorough=False)
        try:
            self._remove_earlier(project, user_id)
            return self._finish(project, erasure)
        except BlobsUnavailable:
            return erasure

    def _remove_earlier(self, project: str, user_id: str) -> None:
        """Remove what an earlier version has put into the blob store and was not renamed yet."""
        for kind in (IMAGES, REJECTED):
            prefix = earlier_key_prefix(kind, project, user_id)
            self._blobs.delete(list(self._blobs.names(prefix)))

    def resume(self) -> int:
        """Finish what was begun by whatever process; how many erasures there were.

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

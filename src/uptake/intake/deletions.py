"""Deletes single records of users: an image, a document, samples of a range of time.

What is deleted can be uploaded again, unlike the data of an erased user.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from uptake.blobs import Blobs
from uptake.samples.metrics import Metric
from uptake.store.base import Store, StoreUnavailable
from uptake.store.stored import StoredDocument, StoredImage


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes records of a project.

    A deletion that fails with `StoreUnavailable` or `BlobsUnavailable` may be incomplete: repeat
    it.
    """

    store: Store
    blobs: Blobs
    project: str

    def image(self, image: StoredImage) -> bool:
        """Delete an image; False if another request has deleted it.

        Its bytes are deleted before its row, so a deletion that fails can be repeated. Bytes that
        another image of the user has too are left: earlier versions stored equal bytes once.
        """
        found: StoredImage | None = image
        with self._scrubbing():
            while found:
                if not self.store.shares_bytes(self.project, found):
                    self.blobs.delete([found.blob])
                if self.store.delete_image(self.project, found):
                    return True
                # The same picture was uploaded in between: the image has new bytes instead.
                found = self.store.numbered_image(self.project, image.image_id)
        return False

    def document(self, document: StoredDocument) -> bool:
        """Delete a document; False if another request has deleted it."""
        with self._scrubbing():
            return self.store.delete_document(self.project, document)

    def samples(self, user_id: str, metric: Metric, start: int, end: int) -> int:
        """Delete the samples of a user that start in [start, end); returns their number.

        A sample that is stored several times counts each time.
        """
        with self._scrubbing():
            self.store.delete_unsent_samples(self.project, user_id, metric, start, end)
            return self.store.delete_samples(self.project, user_id, metric, start, end)

    @contextmanager
    def _scrubbing(self) -> Iterator[None]:
        """Remove traces of deleted rows afterwards; `Upkeep` scrubs again, thoroughly."""
        yield
        with suppress(StoreUnavailable):
            self.store.scrub(thorough=False)

"""The port that deletes single records of users; see `store.base`."""

from typing import Protocol

from uptake.samples.metrics import Metric
from uptake.store.stored import StoredDocument


class Deletions(Protocol):
    """Deletes single records of users. What is deleted can be uploaded again."""

    def delete_document(self, project: str, document: StoredDocument) -> bool:
        """Delete a document; False if it is not stored. Its upload id is free again."""

    def delete_samples(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> int:
        """Delete the samples that start in [start, end), page by page; returns their number.

        Samples are counted as often as they are stored. Other samples of their batches do not
        change, nor does when they were received.

        Raises:
            StoreUnavailable: some may be left. Repeat the call.
        """

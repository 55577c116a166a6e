"""The ports that read a whole project as it is at one moment; see `store.base`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from uptake.samples.metrics import Metric
from uptake.store.stored import (
    Selection,
    StoredBatch,
    StoredDocument,
    StoredRejection,
    StoredUser,
)


class Snapshot(Protocol):
    """A project at one moment.

    Iterators read while they are iterated, in one thread at a time, and not after the snapshot is
    closed.
    """

    @property
    def commit_sequence(self) -> dict[int, int]:
        """The commits that this snapshot includes (`store.commit_sequence`)."""

    def batches(self, metrics: Sequence[Metric], only: Selection) -> Iterator[StoredBatch]:
        """Iterate over batches that may have samples in the selected time, by user and metric.

        Batches of one user and metric are in any order, and may be in blocks. A batch received
        again counts as received then.
        """

    def users(self, only: Selection) -> Iterator[StoredUser]:
        """Iterate over users last seen in the selected time, in order.

        A user counts as received when it is created and when its attributes are set.
        """

    def attribute_names(self, only: Selection) -> list[str]:
        """Return the attribute names of the selected users, sorted."""

    def documents(
        self, type_name: str | None, only: Selection, after: tuple[str, str] = ("", "")
    ) -> Iterator[StoredDocument]:
        """Iterate over documents of one or all types received in the selected time.

        They are ordered by user and id, and start after `after`; with `since`, all are returned, in
        the order received.
        """

    def rejections(self, only: Selection) -> Iterator[StoredRejection]:
        """Iterate over rejections received in the selected time, in the order of documents."""


class Snapshots(Protocol):
    """Reads a whole project, for exports."""

    def snapshot(self, project: str) -> AbstractContextManager[Snapshot]:
        """Return a project as it is now, for as long as the block runs.

        Reading from it, and leaving the block, may raise `StoreUnavailable`.
        """

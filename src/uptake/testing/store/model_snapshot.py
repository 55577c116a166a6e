"""The rows of a project in the model of a store, and snapshots of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from uptake.samples.metrics import Metric
from uptake.store.definitions import Segment, TypeVersion
from uptake.store.records import (
    BatchRecord,
)
from uptake.store.stored import (
    Change,
    Erasure,
    Selection,
    StoredBatch,
    StoredDocument,
    StoredImage,
    StoredReceipt,
    StoredRejection,
    StoredUser,
    User,
)


@dataclass
class Rows:
    """The rows of a project; `marks` has the commit that wrote each of them last."""

    users: dict[str, User] = field(default_factory=dict)
    documents: dict[str, tuple[bytes | None, StoredDocument]] = field(default_factory=dict)
    # In the order received: a batch received again is inserted again.
    batches: dict[tuple[str, Metric, bytes], tuple[int, BatchRecord]] = field(default_factory=dict)
    images: dict[tuple[str, bytes], StoredImage] = field(default_factory=dict)
    rejections: dict[tuple[str, str], StoredRejection] = field(default_factory=dict)
    receipts: list[StoredReceipt] = field(default_factory=list)
    tombstones: set[str] = field(default_factory=set)
    erasures: dict[str, Erasure] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    segments: dict[str, Segment] = field(default_factory=dict)
    types: dict[str, list[TypeVersion]] = field(default_factory=dict)
    marks: dict[tuple[object, ...], int] = field(default_factory=dict)
    last_image: int = 0


class ModelSnapshot:
    """See `Snapshot`.

    Attributes:
        commit_sequence: the number of the last commit.
    """

    def __init__(self, rows: Rows, commit_sequence: dict[int, int]) -> None:
        self._rows = rows
        self.commit_sequence = commit_sequence

    def _mark(self, only: Selection, user_id: str, *key: object) -> int | None:
        """The commit that wrote a row, or None if the row is not selected."""
        mark = self._rows.marks[key]
        since = -1 if only.since is None else only.since.get(0, 0)
        return mark if mark > since and (only.users is None or user_id in only.users) else None

    def batches(self, metrics: Sequence[Metric], only: Selection) -> Iterator[StoredBatch]:
        """See `Snapshot.batches`."""
        found = [
            StoredBatch(b.user_id, b.metric, sequence, b.first, b.last, b.count, b.columns)
            for key, (sequence, b) in self._rows.batches.items()
            if self._mark(only, b.user_id, "batch", *key) is not None
            and b.metric in metrics
            and (only.start is None or b.last >= only.start)
            and (only.end is None or b.first < only.end)
        ]
        yield from sorted(found, key=lambda batch: (batch.user_id, batch.metric))

    def users(self, only: Selection) -> Iterator[StoredUser]:
        """See `Snapshot.users`."""
        for name, user in sorted(self._rows.users.items()):
            selected = self._mark(only, name, "user", name) is not None
            if selected and _in_time(only, user.last_seen):
                yield StoredUser(name, user.attributes, user.first_seen, user.last_seen)

    def attribute_names(self, only: Selection) -> list[str]:
        """See `Snapshot.attribute_names`."""
        return sorted({name for user in self.users(only) for name in user.attributes})

    def documents(
        self, type_name: str | None, only: Selection, after: tuple[str, str] = ("", "")
    ) -> Iterator[StoredDocument]:
        """See `Snapshot.documents`."""
        rows = [(one.user_id, name, one) for name, (_, one) in self._rows.documents.items()]
        for one in self._in_order("document", rows, only):
            place = one.user_id, one.upload_id
            if type_name in {None, one.type} and (only.since is not None or place > after):
                yield one

    def rejections(self, only: Selection) -> Iterator[StoredRejection]:
        """See `Snapshot.rejections`."""
        rows = [(user, name, one) for (name, user), one in self._rows.rejections.items()]
        return self._in_order("rejection", rows, only)

    def _in_order(
        self, kind: str, rows: Sequence[tuple[str, str, Any]], only: Selection
    ) -> Iterator[Any]:
        found = []
        for user_id, name, row in rows:
            key = (name,) if kind == "document" else (name, user_id)
            mark = self._mark(only, user_id, kind, *key)
            if mark is not None and _in_time(only, row.received_at):
                found.append((user_id if only.since is None else mark, name, row))
        yield from (row for *_, row in sorted(found, key=lambda place: place[:2]))


def _in_time(only: Selection, moment: int) -> bool:
    return (only.start is None or moment >= only.start) and (only.end is None or moment < only.end)

"""A project as it was at one moment, copied out of the store in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from uptake.model.items import Metric
from uptake.store.records import BatchRecord
from uptake.store.snapshot import Selection, StoredBatch, StoredUser
from uptake.store.stored import RejectionFilter, StoredDocument, StoredRejection, User

Kept = TypeVar("Kept")
Marked = tuple[int, Kept]
"""The number of the commit that wrote something, and what it is."""


@dataclass
class MemorySnapshot:
    """See `Snapshot`; batches with their sequences."""

    marks: dict[int, int]
    kept_users: list[Marked[User]] = field(default_factory=list)
    kept_batches: list[Marked[tuple[int, BatchRecord]]] = field(default_factory=list)
    kept_documents: list[Marked[StoredDocument]] = field(default_factory=list)
    kept_rejections: list[Marked[StoredRejection]] = field(default_factory=list)

    def batches(self, metrics: Sequence[Metric], only: Selection) -> Iterator[StoredBatch]:
        """See `Snapshot.batches`."""
        found = [
            StoredBatch(b.user_id, b.metric, sequence, b.first, b.last, b.count, b.columns)
            for _, (sequence, b) in _received(self.kept_batches, only)
            if _about(only, b.user_id)
            and b.metric in metrics
            and (only.start is None or b.last >= only.start)
            and (only.end is None or b.first < only.end)
        ]
        yield from sorted(found, key=lambda kept: (kept.user_id, kept.metric))

    def users(self, only: Selection) -> Iterator[StoredUser]:
        """See `Snapshot.users`."""
        found = [
            StoredUser(user.user_id, user.attributes, user.first_seen, user.last_seen)
            for _, user in _received(self.kept_users, only)
            if _about(only, user.user_id) and _timely(only, user.last_seen)
        ]
        yield from sorted(found, key=lambda kept: kept.user_id)

    def attribute_names(self, only: Selection) -> list[str]:
        """See `Snapshot.attribute_names`."""
        return sorted({name for user in self.users(only) for name in user.attributes})

    def documents(
        self, type_name: str | None, only: Selection, after: tuple[str, str] = ("", "")
    ) -> Iterator[StoredDocument]:
        """See `Snapshot.documents`."""
        found = [
            (mark if only.since is not None else 0, document)
            for mark, document in _received(self.kept_documents, only)
            if _about(only, document.user_id)
            and _timely(only, document.received_at)
            and type_name in {None, document.type}
            and (only.since is not None or (document.user_id, document.upload_id) > after)
        ]
        by_user = only.since is None
        found.sort(key=lambda row: (row[0], by_user and row[1].user_id, row[1].upload_id))
        yield from (document for _, document in found)

    def rejections(self, only: Selection) -> Iterator[StoredRejection]:
        """See `Snapshot.rejections`."""
        found = [
            (mark if only.since is not None else 0, kept)
            for mark, kept in _received(self.kept_rejections, only)
            if _about(only, kept.record.user_id) and _timely(only, kept.received_at)
        ]
        by_user = only.since is None
        found.sort(
            key=lambda row: (
                row[0],
                by_user and row[1].record.user_id,
                row[1].record.rejection_id,
            )
        )
        yield from (kept for _, kept in found)


def _received(rows: Iterable[Marked[Kept]], only: Selection) -> Iterator[Marked[Kept]]:
    since = -1 if only.since is None else only.since.get(0, 0)
    return (row for row in rows if row[0] > since)


def _about(only: Selection, user_id: str) -> bool:
    return only.users is None or user_id in only.users


def _timely(only: Selection, moment: int) -> bool:
    return (only.start is None or moment >= only.start) and (only.end is None or moment < only.end)


def passes(kept: StoredRejection, only: RejectionFilter) -> bool:
    """Whether a rejection is one of those that are asked for."""
    record = kept.record
    return (
        only.format in {None, record.format}
        and only.key_id in {None, record.key_id}
        and only.user_id in {None, record.user_id}
        and only.request_id in {None, kept.request_id}
        and (only.code is None or any(fault.code == only.code for fault in record.faults))
        and (only.since is None or kept.received_at >= only.since)
        and (only.until is None or kept.received_at < only.until)
        and only.resolved in {None, kept.resolved_by is not None}
    )

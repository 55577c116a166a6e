"""The rejections of the store in memory."""

from collections.abc import Sequence

from msgspec.structs import replace

from uptake.model.ids import Secrets
from uptake.model.shares import TIED
from uptake.store.memory_expiry import MemoryExpiry
from uptake.store.memory_snapshot import passes
from uptake.store.records import Entry, RejectionRecord, Resolved
from uptake.store.stored import ALL_REJECTIONS, RejectionFilter, StoredRejection


class MemoryRejections(MemoryExpiry):
    """The part of the port `Items` about rejections."""

    def __init__(self, secrets: Secrets | None = None) -> None:
        super().__init__(secrets)
        # By project, id and user.
        self._rejections: dict[tuple[str, str, str], StoredRejection] = {}
        self._commits = 0
        self._marks: dict[tuple[object, ...], int] = {}

    def _resolve(self, entry: Entry, resolves: Resolved) -> None:
        for user_id in resolves.user_ids:
            key = (entry.project, resolves.rejection_id, user_id)
            if key in self._rejections:
                self._rejections[key] = replace(self._rejections[key], resolved_by=entry.request_id)
                self._marks["rejection", *key] = self._commits

    def _reject(self, entry: Entry, rejection: RejectionRecord) -> None:
        kept = StoredRejection(rejection, entry.request_id, entry.received_at)
        key = (entry.project, rejection.rejection_id, rejection.user_id)
        self._rejections[key] = kept
        self._marks["rejection", *key] = self._commits

    def rejections(
        self, project: str, after: str, limit: int, only: RejectionFilter = ALL_REJECTIONS
    ) -> list[StoredRejection]:
        """See `RejectionQueries.rejections`."""
        with self.alone():
            found = {
                rejection_id
                for (owner, rejection_id, _), kept in self._rejections.items()
                if owner == project and rejection_id > after and passes(kept, only)
            }
            return [
                self._rejection(project, rejection_id, only.user_id)
                for rejection_id in sorted(found)[:limit]
            ]

    def _rejection(self, project: str, rejection_id: str, user_id: str | None) -> StoredRejection:
        """A rejection, or what of it is about one user."""
        first, *others = (
            kept
            for key, kept in sorted(self._rejections.items())
            if key[:2] == (project, rejection_id) and user_id in {None, key[2]}
        )
        return replace(first, others=tuple(kept.record for kept in others))

    def rejection(self, project: str, rejection_id: str) -> StoredRejection | None:
        """See `RejectionQueries.rejection`."""
        with self.alone():
            if not any(key[:2] == (project, rejection_id) for key in self._rejections):
                return None
            return self._rejection(project, rejection_id, None)

    def _untie(self, project: str, user_id: str) -> None:
        """Remove what other users have of rejected bodies that cannot be divided."""
        tied = {
            key[:2]
            for key, kept in self._rejections.items()
            if (key[0], key[2]) == (project, user_id) and kept.record.parts == TIED
        }
        for key in list(self._rejections):
            if key[:2] in tied and key[2] != user_id:
                del self._rejections[key]

    def unexamined(self, project: str, limit: int) -> list[StoredRejection]:
        """See `Maintenance.unexamined`."""
        del project, limit
        return []

    def put_examined(
        self, project: str, kept: StoredRejection, records: Sequence[RejectionRecord]
    ) -> None:
        """See `Maintenance.put_examined`."""
        raise LookupError(f"{project}: {kept.record.rejection_id} of {len(records)} users")

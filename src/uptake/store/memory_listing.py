"""What the store in memory says of many users at once: pages, counts, changes, segments."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.model.items import Metric
from uptake.store.definitions import Segment
from uptake.store.memory_registry import MemoryRegistry
from uptake.store.records import BatchRecord
from uptake.store.stored import Change, Changes, Profiles, StoredDocument, User, VersionStock

Owner = tuple[str, str]
"""Project and user."""


class MemoryListing(MemoryRegistry):
    """The part of the port about many users; and segments."""

    _users: dict[Owner, User]
    _documents: dict[Owner, tuple[bytes | None, StoredDocument]]
    _batches: dict[tuple[str, str, Metric, bytes], tuple[int, BatchRecord, int]]

    def __init__(self, secrets: Secrets | None = None) -> None:
        super().__init__(secrets)
        self._changes: dict[str, list[Change]] = {}
        self._segments: dict[Owner, Segment] = {}

    def _note(self, owners: Collection[Owner]) -> None:
        """Note whom a group of entries keeps something about."""
        for project in {project for project, _ in owners}:
            users = [user_id for owner, user_id in owners if owner == project]
            change = Change(ids.time_ordered(), users, [])
            self._changes.setdefault(project, []).append(change)

    def _forget(self, project: str, user_id: str) -> None:
        """Take a user's id out of what was noted, and note its hash."""
        log = self._changes.setdefault(project, [])
        log[:] = [replace(one, users=[u for u in one.users if u != user_id]) for one in log]
        log.append(Change(ids.time_ordered(), [], [self.user_hash(user_id)]))

    def profiles(self, project: str, after: str, limit: int) -> list[Profiles]:
        """See `UserQueries.profiles`."""
        with self.alone():
            found = [
                u for (owner, name), u in self._users.items() if owner == project and name > after
            ]
        return _columns(sorted(found, key=lambda user: user.user_id)[:limit])

    def profiles_of(self, project: str, user_ids: Sequence[str]) -> list[Profiles]:
        """See `UserQueries.profiles_of`."""
        with self.alone():
            owners = [(project, user_id) for user_id in user_ids]
            return _columns([self._users[owner] for owner in owners if owner in self._users])

    def document_counts(
        self, project: str, document_type: str, since: int, user_ids: Sequence[str] | None
    ) -> dict[str, int]:
        """See `UserQueries.document_counts`."""
        counts: dict[str, int] = {}
        with self.alone():
            for (owner, _), (_, kept) in self._documents.items():
                asked = user_ids is None or kept.user_id in user_ids
                counted = (owner, kept.type) == (project, document_type) and asked
                if counted and kept.received_at >= since:
                    counts[kept.user_id] = counts.get(kept.user_id, 0) + 1
        return counts

    def document_versions(self, project: str, document_type: str) -> list[VersionStock]:
        """See `DocumentTypeRegistry.document_versions`."""
        moments: dict[int, list[int]] = {}
        with self.alone():
            for (owner, _), (_, kept) in self._documents.items():
                if (owner, kept.type) == (project, document_type):
                    moments.setdefault(kept.version, []).append(kept.received_at)
        return [
            VersionStock(version, len(found), min(found), max(found))
            for version, found in sorted(moments.items())
        ]

    def sampled(self, project: str, metric: Metric) -> list[str]:
        """See `UserQueries.sampled`."""
        with self.alone():
            found = {
                user for owner, user, of, _ in self._batches if (owner, of) == (project, metric)
            }
            return list(found)

    def changes(self, project: str, since: int | None) -> Changes | None:
        """See `ChangeFeed.changes`."""
        with self.alone():
            log = self._changes.get(project, [])
            return Changes(len(log), [] if since is None else log[since:])

    def put_segment(self, project: str, segment: Segment) -> Segment:
        """See `SegmentRegistry.put_segment`."""
        with self.alone():
            known = self._segments.get((project, segment.name), segment)
            stands = replace(segment, created_at=known.created_at)
            self._segments[project, segment.name] = stands
            return stands

    def segment(self, project: str, name: str) -> Segment | None:
        """See `SegmentRegistry.segment`."""
        with self.alone():
            return self._segments.get((project, name))

    def segments(self, project: str, after: str, limit: int) -> list[Segment]:
        """See `SegmentRegistry.segments`."""
        with self.alone():
            found = [
                kept
                for (owner, name), kept in self._segments.items()
                if owner == project and name > after
            ]
        return sorted(found, key=lambda segment: segment.name)[:limit]

    def delete_segment(self, project: str, name: str) -> bool:
        """See `SegmentRegistry.delete_segment`."""
        with self.alone():
            return self._segments.pop((project, name), None) is not None


def _columns(users: Sequence[User]) -> list[Profiles]:
    if not users:
        return []
    values = msgspec.json.encode([user.attributes for user in users])
    first, last = [user.first_seen for user in users], [user.last_seen for user in users]
    return [Profiles(None, [user.user_id for user in users], first, last, values)]

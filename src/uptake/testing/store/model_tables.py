"""The parts of the model that are plain tables: keys, document types, segments and so on."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.store.base import DEFAULT_PROJECT, AlreadyExists
from uptake.store.definitions import DocumentType, Key, Rate, Segment, TypeVersion
from uptake.store.stored import (
    Erasure,
    VersionStock,
)
from uptake.testing.store.model_snapshot import Rows
from uptake.time_units import MICROSECONDS_PER_SECOND

Value = TypeVar("Value")


class ModelTables:
    """`Projects`, `Keys`, `DocumentTypeRegistry`, `SegmentRegistry`, and records of erasures."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._rows: dict[str, Rows] = {}
        self._projects = {DEFAULT_PROJECT}
        self._keys: dict[str, Key] = {}
        self._uses: dict[str, tuple[int, int]] = {}

    def _rows_of(self, project: str) -> Rows:
        return self._rows.setdefault(project, Rows())

    def secrets(self) -> Secrets:
        """See `Installation.secrets`."""
        return self._secrets

    def user_hash(self, user_id: str) -> str:
        """See `ChangeFeed.user_hash`."""
        return ids.user_hash(self._secrets.user_hash, user_id)

    def add_project(self, name: str, created_at: int) -> None:  # noqa: ARG002 - the port's
        """See `Projects.add_project`."""
        if name in self._projects:
            raise AlreadyExists(name)
        self._projects.add(name)

    def projects(self) -> list[str]:
        """See `Projects.projects`."""
        return sorted(self._projects)

    def add_key(self, key: Key) -> None:
        """See `Keys.add_key`."""
        self._keys[key.id] = key

    def key(self, digest: str) -> Key | None:
        """See `Keys.key`."""
        return next((key for key in self._keys.values() if key.digest == digest), None)

    def keys(self) -> list[Key]:
        """See `Keys.keys`."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def revoke_key(self, key_id: str, moment: int) -> bool:
        """See `Keys.revoke_key`."""
        if key_id in self._keys:
            self._keys[key_id] = replace(self._keys[key_id], revoked_at=moment)
        return key_id in self._keys

    def count_use(self, key_id: str, rate: Rate, moment: int) -> int:
        """See `Keys.count_use`."""
        window = moment // (rate.seconds * MICROSECONDS_PER_SECOND)
        counted, uses = self._uses.get(key_id, (window, 0))
        self._uses[key_id] = window, uses + 1 if counted == window else 1
        return self._uses[key_id][1]

    def add_type_version(
        self, project: str, name: str, version: TypeVersion
    ) -> DocumentType | None:
        """See `DocumentTypeRegistry.add_type_version`."""
        versions = self._rows_of(project).types.setdefault(name, [])
        if any(one.version == version.version for one in versions):
            return None
        versions.append(version)
        return _type(name, versions)

    def document_type(self, project: str, name: str) -> DocumentType | None:
        """See `DocumentTypeRegistry.document_type`."""
        versions = self._rows_of(project).types.get(name)
        return _type(name, versions) if versions else None

    def document_types(
        self, project: str, after: str = "", limit: int | None = None
    ) -> list[DocumentType]:
        """See `DocumentTypeRegistry.document_types`."""
        types = self._rows_of(project).types
        return page({name: _type(name, types[name]) for name in types}, after, limit)

    def type_versions(self, project: str, name: str, after: int, limit: int) -> list[TypeVersion]:
        """See `DocumentTypeRegistry.type_versions`."""
        return [one for one in self._rows_of(project).types.get(name, []) if one.version > after][
            :limit
        ]

    def document_versions(self, project: str, document_type: str) -> list[VersionStock]:
        """See `DocumentTypeRegistry.document_versions`."""
        moments: dict[int, list[int]] = {}
        for _, one in self._rows_of(project).documents.values():
            if one.type == document_type:
                moments.setdefault(one.version, []).append(one.received_at)
        return [
            VersionStock(version, len(found), min(found), max(found))
            for version, found in sorted(moments.items())
        ]

    def finish_erasure(self, project: str, erasure_id: str, moment: int) -> None:
        """See `Erasures.finish_erasure`."""
        erasures = self._rows_of(project).erasures
        erasures[erasure_id] = replace(erasures[erasure_id], finished_at=moment)

    def erasure(self, project: str, erasure_id: str) -> Erasure | None:
        """See `Erasures.erasure`."""
        return self._rows_of(project).erasures.get(erasure_id)

    def erasures(self, project: str, after: str, limit: int) -> list[Erasure]:
        """See `Erasures.erasures`."""
        return page(self._rows_of(project).erasures, after, limit)

    def unfinished_erasures(self) -> list[tuple[str, Erasure]]:
        """See `Erasures.unfinished_erasures`."""
        return [
            (project, one)
            for project, rows in self._rows.items()
            for one in rows.erasures.values()
            if one.finished_at is None
        ]

    def readmit(self, project: str, user_id: str) -> bool:
        """See `Erasures.readmit`."""
        known = user_id in self._rows_of(project).tombstones
        self._rows_of(project).tombstones.discard(user_id)
        return known

    def scrub(self, *, thorough: bool) -> None:
        """See `Erasures.scrub`."""

    def put_segment(self, project: str, segment: Segment) -> Segment:
        """See `SegmentRegistry.put_segment`."""
        segments = self._rows_of(project).segments
        known = segments.get(segment.name, segment)
        segments[segment.name] = replace(segment, created_at=known.created_at)
        return segments[segment.name]

    def segment(self, project: str, name: str) -> Segment | None:
        """See `SegmentRegistry.segment`."""
        return self._rows_of(project).segments.get(name)

    def segments(self, project: str, after: str, limit: int) -> list[Segment]:
        """See `SegmentRegistry.segments`."""
        return page(self._rows_of(project).segments, after, limit)

    def delete_segment(self, project: str, name: str) -> bool:
        """See `SegmentRegistry.delete_segment`."""
        return self._rows_of(project).segments.pop(name, None) is not None


def _type(name: str, versions: Sequence[TypeVersion]) -> DocumentType:
    last = versions[-1]
    return DocumentType(name, last.schema, versions[0].created_at, last.version)


def page(rows: dict[str, Value], after: str, limit: int | None) -> list[Value]:
    """The first rows with a name above `after`, in order of name."""
    return [rows[name] for name in sorted(rows) if name > after][:limit]

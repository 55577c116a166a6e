"""The rows of the model, snapshots of them, and its parts that are plain tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.samples.columns import digest, from_bytes, in_use, to_bytes
from uptake.samples.metrics import Metric
from uptake.store.definitions import (
    DocumentType,
    Segment,
    TypeVersion,
)
from uptake.store.records import BatchRecord, ImageRecord
from uptake.store.stored import (
    Change,
    Erasure,
    Selection,
    Span,
    StoredBatch,
    StoredDocument,
    StoredImage,
    StoredReceipt,
    StoredRejection,
    StoredUser,
    User,
    VersionStock,
)
from uptake.testing.store.model_keys import ModelKeys, page


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
        for name, user in sorted(self._rows.users.items()):
            selected = self._mark(only, name, "user", name) is not None
            if selected and _in_time(only, user.last_seen):
                yield StoredUser(name, user.attributes, user.first_seen, user.last_seen)

    def attribute_names(self, only: Selection) -> list[str]:
        return sorted({name for user in self.users(only) for name in user.attributes})

    def documents(
        self, type_name: str | None, only: Selection, after: tuple[str, str] = ("", "")
    ) -> Iterator[StoredDocument]:
        rows = [(one.user_id, name, one) for name, (_, one) in self._rows.documents.items()]
        for one in self._in_order("document", rows, only):
            place = one.user_id, one.upload_id
            if type_name in {None, one.type} and (only.since is not None or place > after):
                yield one

    def rejections(self, only: Selection) -> Iterator[StoredRejection]:
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


Value = TypeVar("Value")


class ModelTables(ModelKeys):
    """`Projects`, `Keys`, `DocumentTypeRegistry`, `SegmentRegistry`, and records of erasures."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets
        self._rows: dict[str, Rows] = {}

    def _rows_of(self, project: str) -> Rows:
        return self._rows.setdefault(project, Rows())

    def latest_images(
        self, project: str, user_id: str | None, skip: int, limit: int
    ) -> list[StoredImage]:
        images = self._rows_of(project).images.values()
        found = [one for one in images if user_id in {None, one.user_id}]
        found.sort(key=lambda one: -one.image_id)
        return found[skip : skip + limit]

    def numbered_image(self, project: str, image_id: int) -> StoredImage | None:
        images = self._rows_of(project).images.values()
        return next((one for one in images if one.image_id == image_id), None)

    def shares_bytes(self, project: str, image: StoredImage) -> bool:
        others = [one for one in self._rows_of(project).images.values() if one != image]
        return (image.user_id, image.blob) in {(one.user_id, one.blob) for one in others}

    def delete_image(self, project: str, image: StoredImage) -> bool:
        images = self._rows_of(project).images
        found = [key for key, one in images.items() if one == image]
        for key in found:
            del images[key]
        return bool(found)

    def replace_blob(self, project: str, image: StoredImage, record: ImageRecord) -> bool:
        images = self._rows_of(project).images
        found = [key for key, one in images.items() if one == image]
        for key in found:
            images[key] = replace(image, sha256=record.sha256, bytes=record.bytes, blob=record.blob)
        return bool(found)

    def delete_document(self, project: str, document: StoredDocument) -> bool:
        rows = self._rows_of(project)
        found = rows.documents.pop(document.upload_id, None) is not None
        if found:
            rows.changes.append(Change(ids.time_ordered(), [document.user_id], []))
        return found

    def delete_samples(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> int:
        rows, count = self._rows_of(project), 0
        for key, (sequence, one) in list(rows.batches.items()):
            samples = from_bytes(one.columns)
            gone = (samples.start >= start) & (samples.start < end)
            if key[:2] != (user_id, metric) or not gone.any():
                continue
            count += int(gone.sum())
            del rows.batches[key]
            if gone.all():
                continue
            left = in_use(samples.take(~gone))
            columns, first, last = to_bytes(left), int(left.start[0]), int(left.start[-1])
            new = user_id, metric, digest(columns)
            values = {"first": first, "last": last, "count": len(left), "columns": columns}
            # Of batches with the same samples, the one received last is stored.
            if sequence > rows.batches.get(new, (0, one))[0]:
                rows.batches[new] = sequence, replace(one, digest=new[2], **values)
                rows.marks["batch", *new] = rows.marks["batch", *key]
        if count:
            rows.changes.append(Change(ids.time_ordered(), [user_id], []))
        return count

    def secrets(self) -> Secrets:
        return self._secrets

    def user_hash(self, user_id: str) -> str:
        return ids.user_hash(self._secrets.user_hash, user_id)

    def add_type_version(
        self, project: str, name: str, version: TypeVersion
    ) -> DocumentType | None:
        versions = self._rows_of(project).types.setdefault(name, [])
        if any(one.version == version.version for one in versions):
            return None
        versions.append(version)
        return _type(name, versions)

    def document_type(self, project: str, name: str) -> DocumentType | None:
        versions = self._rows_of(project).types.get(name)
        return _type(name, versions) if versions else None

    def document_types(
        self, project: str, after: str = "", limit: int | None = None
    ) -> list[DocumentType]:
        types = self._rows_of(project).types
        return page({name: _type(name, types[name]) for name in types}, after, limit)

    def type_versions(self, project: str, name: str, after: int, limit: int) -> list[TypeVersion]:
        return [one for one in self._rows_of(project).types.get(name, []) if one.version > after][
            :limit
        ]

    def document_versions(self, project: str, document_type: str) -> list[VersionStock]:
        moments: dict[int, list[int]] = {}
        for _, one in self._rows_of(project).documents.values():
            if one.type == document_type:
                moments.setdefault(one.version, []).append(one.received_at)
        return [
            VersionStock(version, len(found), min(found), max(found))
            for version, found in sorted(moments.items())
        ]

    def finish_erasure(self, project: str, erasure_id: str, moment: int) -> None:
        erasures = self._rows_of(project).erasures
        erasures[erasure_id] = replace(erasures[erasure_id], finished_at=moment)

    def spans(
        self, project: str, user_id: str, metric: Metric | None = None, limit: int | None = None
    ) -> list[Span]:
        found = [
            Span(batch.metric, batch.first, batch.last, batch.count, sequence)
            for sequence, batch in self._rows_of(project).batches.values()
            if batch.user_id == user_id and metric in {None, batch.metric}
        ]
        return sorted(found, key=lambda span: (span.metric, span.first, span.sequence))[:limit]

    def batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[StoredBatch]:
        found = self.overlapping_batches(project, user_id, metric, start, end)
        return [one for one in found if one.last >= start]

    def overlapping_batches(
        self,
        project: str,
        user_id: str,
        metric: Metric,
        start: int,  # noqa: ARG002 - the port's
        end: int,
    ) -> list[StoredBatch]:
        return [
            StoredBatch(user_id, metric, sequence, one.first, one.last, one.count, one.columns)
            for key, (sequence, one) in self._rows_of(project).batches.items()
            if key[:2] == (user_id, metric) and one.first <= end
        ]

    def erasure(self, project: str, erasure_id: str) -> Erasure | None:
        return self._rows_of(project).erasures.get(erasure_id)

    def erasures(self, project: str, after: str, limit: int) -> list[Erasure]:
        return page(self._rows_of(project).erasures, after, limit)

    def unfinished_erasures(self) -> list[tuple[str, Erasure]]:
        return [
            (project, one)
            for project, rows in self._rows.items()
            for one in rows.erasures.values()
            if one.finished_at is None
        ]

    def readmit(self, project: str, user_id: str) -> bool:
        known = user_id in self._rows_of(project).tombstones
        self._rows_of(project).tombstones.discard(user_id)
        return known

    def scrub(self, *, thorough: bool) -> None:
        """See `Erasures.scrub`."""

    def put_segment(self, project: str, segment: Segment) -> Segment:
        segments = self._rows_of(project).segments
        known = segments.get(segment.name, segment)
        segments[segment.name] = replace(segment, created_at=known.created_at)
        return segments[segment.name]

    def segment(self, project: str, name: str) -> Segment | None:
        return self._rows_of(project).segments.get(name)

    def segments(self, project: str, after: str, limit: int) -> list[Segment]:
        return page(self._rows_of(project).segments, after, limit)

    def delete_segment(self, project: str, name: str) -> bool:
        return self._rows_of(project).segments.pop(name, None) is not None


def _type(name: str, versions: Sequence[TypeVersion]) -> DocumentType:
    last = versions[-1]
    return DocumentType(name, last.schema, versions[0].created_at, last.version)

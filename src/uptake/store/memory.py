"""A store in memory: the port in its plainest form, what every other store is compared with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from uptake.model.ids import Secrets
from uptake.model.items import Attributes, Metric
from uptake.store.attribute_limits import exceeds, size_of
from uptake.store.base import (
    FIRST_IMAGE_ID,
    MAX_RECEIPTS,
    Store,
)
from uptake.store.memory_expiry import split
from uptake.store.memory_rejections import MemoryRejections
from uptake.store.memory_snapshot import MemorySnapshot
from uptake.store.receipts import receipt_of, stored_rejections
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    Erased,
    ImageRecord,
    NotStored,
    Record,
    Unchanged,
    Written,
    WrittenDocument,
    WrittenImage,
)
from uptake.store.stored import Erasure, Span, StoredDocument, StoredImage, StoredReceipt, User


class MemoryStore(MemoryRejections):
    """The whole port; what it holds is gone with it."""

    def __init__(self, secrets: Secrets | None = None) -> None:
        super().__init__(secrets)
        self._users: dict[tuple[str, str], User] = {}
        self._seen: set[tuple[str, str]] = set()
        self._documents: dict[tuple[str, str], tuple[bytes | None, StoredDocument]] = {}
        # In the order received: a dict keeps it, and a batch received again is put in anew.
        self._batches: dict[tuple[str, str, Metric, bytes], tuple[int, BatchRecord, int]] = {}
        self._received = 0
        self._images: dict[tuple[str, str, bytes], StoredImage] = {}
        self._names: dict[str, StoredImage] = {}
        self._last_image: dict[str, int] = {}
        self._receipts: list[tuple[str, StoredReceipt]] = []
        self._tombstones: set[tuple[str, str]] = set()
        self._erasures: dict[tuple[str, str], Erasure] = {}

    def commit(self, entries: Sequence[Entry]) -> list[tuple[Written, ...]]:
        """See `Commits.commit`."""
        with self.alone():
            self._check_names(entries)
            self._seen.clear()
            self._commits += 1
            written = [self._write(entry) for entry in entries]
            self._note(self._seen)
            return written

    def _check_names(self, entries: Sequence[Entry]) -> None:
        """Reject what would fail half way, before anything is written."""
        taken, known = set(self._names), set(self._images)
        for entry in entries:
            for record in entry.records:
                if not isinstance(record, ImageRecord):
                    continue
                identity = (entry.project, record.user_id, record.upload_digest)
                if identity in known:
                    continue
                if record.name in taken:
                    raise ValueError(f"the image name {record.name!r} is taken")
                known.add(identity)
                taken.add(record.name)

    def _write(self, entry: Entry) -> tuple[Written, ...]:
        if over := self._over_limit(entry):
            return over
        written: list[Written] = []
        for record in entry.records:
            if (entry.project, record.user_id) in self._tombstones:
                written.append(Erased())
                continue
            written.append(self._write_record(entry, record))
        for rejection in stored_rejections(entry, self._tombstones):
            self._reject(entry, rejection)
        if entry.resolves is not None:
            self._resolve(entry, entry.resolves)
        self._receipts.append((entry.project, receipt_of(entry, written, self._tombstones)))
        return tuple(written)

    def _write_record(self, entry: Entry, record: Record) -> Written:
        match record:
            case DocumentRecord():
                return self._write_document(entry, record)
            case ImageRecord():
                return self._write_image(entry, record)
            case BatchRecord():
                return self._write_batch(entry, record)
            case Attributes():
                return self._write_attributes(entry, record)

    def _see(self, entry: Entry, user_id: str, values: dict[str, str] | None = None) -> None:
        moment, key = entry.received_at, (entry.project, user_id)
        self._seen.add(key)
        if values is not None or key not in self._users:
            self._marks[key] = self._commits
        user = self._users.get(key) or User(user_id, {}, moment, moment, 0, 0)
        self._users[key] = replace(
            user,
            attributes=user.attributes | (values or {}),
            first_seen=min(user.first_seen, moment),
            last_seen=max(user.last_seen, moment),
        )

    def _write_document(self, entry: Entry, record: DocumentRecord) -> WrittenDocument:
        key = (entry.project, record.upload_id)
        if key in self._documents:
            digest, _ = self._documents[key]
            if digest != record.digest and record.otherwise is not None:
                self._reject(entry, record.otherwise)
            return WrittenDocument(digest, new=False)
        self._see(entry, record.user_id)
        kept = StoredDocument(
            record.user_id,
            record.upload_id,
            record.type,
            record.data,
            entry.received_at,
            record.version,
        )
        self._documents[key] = (record.digest, kept)
        self._marks["document", *key] = self._commits
        return WrittenDocument(record.digest, new=True)

    def _write_attributes(self, entry: Entry, record: Attributes) -> Unchanged | None:
        before = self._attributes(entry, record.user_id)
        self._see(entry, record.user_id, record.mapping())
        same = record.names and before | record.mapping() == before
        return Unchanged() if same else None

    def _attributes(self, entry: Entry, user_id: str) -> dict[str, str]:
        user = self._users.get((entry.project, user_id))
        return {} if user is None else user.attributes

    def _over_limit(self, entry: Entry) -> tuple[Written, ...]:
        """What stands for the records of an entry that goes beyond the limits; () for others."""
        states: dict[str, dict[str, str]] = {}
        over: dict[int, NotStored] = {}
        for place, record in enumerate(entry.records):
            erased = (entry.project, record.user_id) in self._tombstones
            if not isinstance(record, Attributes) or erased:
                continue
            before = states.get(record.user_id, self._attributes(entry, record.user_id))
            after = states[record.user_id] = before | record.mapping()
            if exceeds(before, after):
                over[place] = NotStored(len(after), size_of(after))
        places = range(len(entry.records)) if over else ()
        return tuple(over.get(place, NotStored()) for place in places)

    def _write_batch(self, entry: Entry, record: BatchRecord) -> Unchanged | None:
        self._see(entry, record.user_id)
        self._received += 1
        key = (entry.project, record.user_id, record.metric, record.digest)
        before = self._batches.pop(key, None)
        self._batches[key] = (self._received, record, entry.received_at)
        self._marks[key] = self._commits
        return None if before is None else Unchanged()

    def _write_image(self, entry: Entry, record: ImageRecord) -> WrittenImage:
        self._see(entry, record.user_id)
        key = (entry.project, record.user_id, record.upload_digest)
        image = self._images.get(key)
        if image is not None:
            return WrittenImage(image.image_id, image.name, new=False)
        number = self._last_image.get(entry.project, FIRST_IMAGE_ID - 1) + 1
        values = msgspec.structs.asdict(record)
        values |= {"image_id": number, "received_at": entry.received_at}
        image = StoredImage(**{name: values[name] for name in StoredImage.__struct_fields__})
        self._last_image[entry.project] = number
        self._images[key] = self._names[image.name] = image
        return WrittenImage(number, image.name, new=True)

    def user(self, project: str, user_id: str) -> User | None:
        """See `ItemQueries.user`."""
        with self.alone():
            user = self._users.get((project, user_id))
            if user is None:
                return None
            documents = [
                kept
                for (owner, _), (_, kept) in self._documents.items()
                if owner == project and kept.user_id == user_id
            ]
            images = self._images_of(project, user_id)
            return replace(user, documents=len(documents), images=len(images))

    def spans(self, project: str, user_id: str, limit: int | None = None) -> list[Span]:
        """See `ItemQueries.spans`."""
        with self.alone():
            spans = [
                Span(batch.metric, batch.first, batch.last, batch.count, sequence)
                for (owner, user, _, _), (sequence, batch, _) in self._batches.items()
                if (owner, user) == (project, user_id)
            ]
        return sorted(spans, key=lambda span: (span.metric, span.first, span.sequence))[:limit]

    def batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[bytes]:
        """See `ItemQueries.batches`."""
        with self.alone():
            return [
                batch.columns
                for key, (_, batch, _) in self._batches.items()
                if key[:3] == (project, user_id, metric)
                and batch.first <= end
                and batch.last >= start
            ]

    def document(self, project: str, upload_id: str) -> StoredDocument | None:
        """See `ItemQueries.document`."""
        with self.alone():
            _, kept = self._documents.get((project, upload_id), (None, None))
            return kept

    def images(self, project: str, user_id: str, after: int, limit: int) -> list[StoredImage]:
        """See `ItemQueries.images`."""
        with self.alone():
            found = [i for i in self._images_of(project, user_id) if i.image_id > after]
        return sorted(found, key=lambda image: image.image_id)[:limit]

    def _images_of(self, project: str, user_id: str) -> list[StoredImage]:
        return [
            image
            for (owner, user, _), image in self._images.items()
            if (owner, user) == (project, user_id)
        ]

    def image(self, name: str) -> StoredImage | None:
        """See `ItemQueries.image`."""
        with self.alone():
            return self._names.get(name)

    @contextmanager
    def snapshot(self, project: str) -> Iterator[MemorySnapshot]:
        """See `Snapshots.snapshot`."""
        marks = self._marks
        with self.alone():
            made = MemorySnapshot({0: self._commits} if self._commits else {})
            for key, user in self._users.items():
                if key[0] == project:
                    made.kept_users.append((marks[key], user))
            for batch_key, (sequence, batch, _) in self._batches.items():
                if batch_key[0] == project:
                    made.kept_batches.append((marks[batch_key], (sequence, batch)))
            for document_key, (_, document) in self._documents.items():
                if document_key[0] == project:
                    made.kept_documents.append((marks["document", *document_key], document))
            for rejection_key, kept in self._rejections.items():
                if rejection_key[0] == project:
                    made.kept_rejections.append((marks["rejection", *rejection_key], kept))
        yield made

    def receipts(self, project: str, request_id: str) -> list[StoredReceipt]:
        """See `RejectionQueries.receipts`."""
        with self.alone():
            found = [
                receipt
                for owner, receipt in self._receipts
                if (owner, receipt.request_id) == (project, request_id)
            ]
        return sorted(found, key=lambda receipt: receipt.received_at)[-MAX_RECEIPTS:]

    def erase(self, project: str, user_id: str, erasure_id: str, moment: int) -> Erasure:
        """See `Erasures.erase`."""
        owner = (project, user_id)
        with self.alone():
            counts = {
                "users": int(self._users.pop(owner, None) is not None),
                "samples": sum(
                    batch.count for key, (_, batch, _) in self._batches.items() if key[:2] == owner
                ),
            }
            self._untie(project, user_id)
            taken: dict[str, dict[Any, Any]] = {
                "documents": split(
                    self._documents, lambda key, kept: (key[0], kept[1].user_id) == owner
                ),
                "images": split(self._images, lambda key, _: key[:2] == owner),
                "rejections": split(
                    self._rejections, lambda key, kept: (key[0], kept.record.user_id) == owner
                ),
                "keys": split(self._keys, lambda _, key: (key.project, key.user) == owner),
            }
            split(self._batches, lambda key, _: key[:2] == owner)
            for image in taken["images"].values():
                del self._names[image.name]
            receipts = [kept for kept in self._receipts if (kept[0], kept[1].user_id) != owner]
            counts |= {name: len(rows) for name, rows in taken.items()}
            counts["receipts"] = len(self._receipts) - len(receipts)
            self._receipts = receipts
            self._tombstones.add(owner)
            erasure = Erasure(erasure_id, self.user_hash(user_id), moment, counts)
            self._erasures[project, erasure_id] = erasure
            self._forget(project, user_id)
            return erasure

    def finish_erasure(self, project: str, erasure_id: str, moment: int) -> None:
        """See `Erasures.finish_erasure`."""
        with self.alone():
            key = (project, erasure_id)
            self._erasures[key] = replace(self._erasures[key], finished_at=moment)

    def erasure(self, project: str, erasure_id: str) -> Erasure | None:
        """See `Erasures.erasure`."""
        with self.alone():
            return self._erasures.get((project, erasure_id))

    def erasures(self, project: str, after: str, limit: int) -> list[Erasure]:
        """See `Erasures.erasures`."""
        with self.alone():
            found = [
                erasure
                for (owner, erasure_id), erasure in self._erasures.items()
                if owner == project and erasure_id > after
            ]
        return sorted(found, key=lambda erasure: erasure.erasure_id)[:limit]

    def unfinished_erasures(self) -> list[tuple[str, Erasure]]:
        """See `Erasures.unfinished_erasures`."""
        with self.alone():
            found = [
                (project, erasure)
                for (project, _), erasure in self._erasures.items()
                if erasure.finished_at is None
            ]
        return sorted(found, key=lambda pair: pair[1].erasure_id)

    def scrub(self, *, thorough: bool) -> None:
        """See `Erasures.scrub`."""

    def readmit(self, project: str, user_id: str) -> bool:
        """See `Erasures.readmit`."""
        with self.alone():
            known = (project, user_id) in self._tombstones
            self._tombstones.discard((project, user_id))
            return known


if TYPE_CHECKING:
    _conforms: type[Store] = MemoryStore

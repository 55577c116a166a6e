"""A plain model of a store, in memory: the oracle that every back end is compared with.

It has the ports that need neither a disk nor another process. It is for tests only.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import fields
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.model.items import Attributes, attribute_bytes, exceeds_limits
from uptake.model.shares import TIED
from uptake.samples.metrics import Metric
from uptake.store.base import MAX_RECEIPTS
from uptake.store.group import receipt_of, stored_rejections
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    Erased,
    ImageRecord,
    NotStored,
    Record,
    RejectionRecord,
    Unchanged,
    Written,
    WrittenDocument,
    WrittenImage,
)
from uptake.store.stored import (
    ALL_REJECTIONS,
    Change,
    Changes,
    Committed,
    DocumentFilter,
    Erasure,
    ProfilePages,
    Profiles,
    RejectionFilter,
    SeenUser,
    StoredDocument,
    StoredImage,
    StoredReceipt,
    StoredRejection,
    User,
)
from uptake.testing.store.model_keys import page
from uptake.testing.store.model_tables import ModelSnapshot, ModelTables, Rows

Key_ = TypeVar("Key_")
Value = TypeVar("Value")


class ModelStore(ModelTables):
    """The ports `Commits` to `Erasures` and `Projects` to `SegmentRegistry` of `store.base`.

    Args:
        secrets: of the installation; new ones by default.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        super().__init__(secrets or Secrets(os.urandom(32), os.urandom(32)))
        self._lock = threading.Lock()
        self._commits = self._sequence = 0
        self._changed: dict[str, set[str]] = {}

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        with self._lock:
            self._check_names(entries)
            self._commits += 1
            self._changed.clear()
            written = [self._write(entry) for entry in entries]
            for project, users in self._changed.items():
                change = Change(ids.time_ordered(), sorted(users), [])
                self._rows_of(project).changes.append(change)
            return written

    def rehearse(self, entry: Entry) -> Committed:
        before = deepcopy((self._rows, self._commits, self._sequence))
        outcome = self.commit([entry])[0]
        self._rows, self._commits, self._sequence = before
        return outcome

    def parts(self, entries: Sequence[Entry]) -> list[Sequence[int]]:
        return [range(len(entries))]

    def _check_names(self, entries: Sequence[Entry]) -> None:
        """Raise for a name of an image that is taken, before anything is written."""
        known = {
            image.name: (project, *key)
            for project, rows in self._rows.items()
            for key, image in rows.images.items()
        }
        for entry in entries:
            for record in entry.records:
                if isinstance(record, ImageRecord):
                    identity = (entry.project, record.user_id, record.upload_digest)
                    if identity in known.values():
                        continue
                    if known.setdefault(record.name, identity) != identity:
                        raise ValueError(f"the image name {record.name!r} is taken")

    def _write(self, entry: Entry) -> Committed:
        rows = self._rows_of(entry.project)
        if over := _over_limit(rows, entry):
            return Committed(over)
        written: list[Written] = []
        for record in entry.records:
            if record.user_id in rows.tombstones:
                written.append(Erased())
                continue
            written.append(self._write_record(rows, entry, record))
        erased = {(entry.project, user_id) for user_id in rows.tombstones}
        for rejection in stored_rejections(entry, erased):
            self._reject(rows, entry, rejection)
        if entry.resolves is not None:
            for user_id in entry.resolves.user_ids:
                key = entry.resolves.rejection_id, user_id
                if key in rows.rejections:
                    resolved = replace(rows.rejections[key], resolved_by=entry.request_id)
                    rows.rejections[key] = resolved
                    rows.marks["rejection", *key] = self._commits
        receipt = receipt_of(entry, written, erased)
        rows.receipts.append(receipt)
        return Committed(tuple(written), receipt)

    def _write_record(self, rows: Rows, entry: Entry, record: Record) -> Written:
        match record:
            case DocumentRecord():
                return self._write_document(rows, entry, record)
            case ImageRecord():
                return self._write_image(rows, entry, record)
            case BatchRecord():
                return self._write_batch(rows, entry, record)
            case Attributes():
                user = rows.users.get(record.user_id)
                before = {} if user is None else user.attributes
                self._see(rows, entry, record.user_id, record.mapping())
                same = record.names and before | record.mapping() == before
                return Unchanged() if same else None

    def _see(
        self, rows: Rows, entry: Entry, user_id: str, values: dict[str, str] | None = None
    ) -> None:
        moment = entry.received_at
        self._changed.setdefault(entry.project, set()).add(user_id)
        if values is not None or user_id not in rows.users:
            rows.marks["user", user_id] = self._commits
        user = rows.users.get(user_id) or User(user_id, {}, moment, moment, 0, 0)
        rows.users[user_id] = replace(
            user,
            attributes=user.attributes | (values or {}),
            first_seen=min(user.first_seen, moment),
            last_seen=max(user.last_seen, moment),
        )

    def _reject(self, rows: Rows, entry: Entry, rejection: RejectionRecord) -> None:
        key = rejection.rejection_id, rejection.user_id
        rows.rejections[key] = StoredRejection(rejection, entry.request_id, entry.received_at)
        rows.marks["rejection", *key] = self._commits

    def _write_document(self, rows: Rows, entry: Entry, record: DocumentRecord) -> Written:
        if record.upload_id in rows.documents:
            digest, _ = rows.documents[record.upload_id]
            if digest != record.digest and record.otherwise is not None:
                self._reject(rows, entry, record.otherwise)
            return WrittenDocument(digest, new=False)
        self._see(rows, entry, record.user_id)
        values = msgspec.structs.asdict(record) | {"received_at": entry.received_at}
        rows.documents[record.upload_id] = record.digest, _built(StoredDocument, values)
        rows.marks["document", record.upload_id] = self._commits
        return WrittenDocument(record.digest, new=True)

    def _write_batch(self, rows: Rows, entry: Entry, record: BatchRecord) -> Written:
        self._see(rows, entry, record.user_id)
        self._sequence += 1
        key = record.user_id, record.metric, record.digest
        before = rows.batches.pop(key, None)
        rows.batches[key] = self._sequence, record
        rows.marks["batch", *key] = self._commits
        return None if before is None else Unchanged()

    def _write_image(self, rows: Rows, entry: Entry, record: ImageRecord) -> Written:
        self._see(rows, entry, record.user_id)
        key = record.user_id, record.upload_digest
        if image := rows.images.get(key):
            return WrittenImage(image.image_id, image.name, new=False)
        rows.last_image = rows.last_image + 1 if rows.last_image else record.first_id
        values = msgspec.structs.asdict(record)
        values |= {"image_id": rows.last_image, "received_at": entry.received_at}
        rows.images[key] = _built(StoredImage, values)
        return WrittenImage(rows.last_image, record.name, new=True)

    def user(self, project: str, user_id: str) -> User | None:
        rows = self._rows_of(project)
        if user_id not in rows.users:
            return None
        documents = sum(document.user_id == user_id for _, document in rows.documents.values())
        images = sum(owner == user_id for owner, _ in rows.images)
        return replace(rows.users[user_id], documents=documents, images=images)

    def has_user(self, project: str, user_id: str) -> bool:
        return user_id in self._rows_of(project).users

    def document(self, project: str, upload_id: str) -> StoredDocument | None:
        return self._rows_of(project).documents.get(upload_id, (None, None))[1]

    def documents(
        self, project: str, user_id: str, only: DocumentFilter, after: str, limit: int
    ) -> list[StoredDocument]:
        stored = self._rows_of(project).documents
        found = [one for _, one in stored.values() if one.user_id == user_id]
        return page({one.upload_id: one for one in found if _is_among(one, only)}, after, limit)

    def images(self, project: str, user_id: str, after: int, limit: int) -> list[StoredImage]:
        images = self._rows_of(project).images.values()
        return [one for one in images if one.user_id == user_id and one.image_id > after][:limit]

    def image(self, name: str) -> StoredImage | None:
        images = (image for rows in self._rows.values() for image in rows.images.values())
        return next((image for image in images if image.name == name), None)

    def rejections(
        self, project: str, after: str, limit: int, only: RejectionFilter = ALL_REJECTIONS
    ) -> list[StoredRejection]:
        rejections = self._rows_of(project).rejections
        found = {name for (name, _), one in rejections.items() if name > after and _has(one, only)}
        return [_joined(rejections, name, only.user_id) for name in sorted(found)[:limit]]

    def rejection(self, project: str, rejection_id: str) -> StoredRejection | None:
        rejections = self._rows_of(project).rejections
        if all(name != rejection_id for name, _ in rejections):
            return None
        return _joined(rejections, rejection_id, None)

    def receipts(self, project: str, request_id: str) -> list[StoredReceipt]:
        found = [one for one in self._rows_of(project).receipts if one.request_id == request_id]
        return sorted(found, key=lambda receipt: receipt.received_at)[-MAX_RECEIPTS:]

    def users(self, project: str, prefix: str, after: str, limit: int) -> list[SeenUser]:
        users = self._rows_of(project).users
        found = {name: users[name] for name in users if name.startswith(prefix)}
        return [
            SeenUser(user.user_id, user.first_seen, user.last_seen)
            for user in page(found, after, limit)
        ]

    def profiles(self, project: str, after: str, limit: int, *, seen: bool) -> ProfilePages:  # noqa: ARG002
        with self._lock:
            users = page(self._rows_of(project).users, after, None)
        yield from (_columns(users[at : at + limit]) for at in range(0, len(users), limit))

    def profiles_of(self, project: str, user_ids: Sequence[str]) -> list[Profiles]:
        users = self._rows_of(project).users
        return _columns([users[name] for name in user_ids if name in users])

    def document_counts(
        self, project: str, document_type: str, since: int, user_ids: Sequence[str] | None
    ) -> dict[str, int]:
        return Counter(
            one.user_id
            for _, one in self._rows_of(project).documents.values()
            if one.type == document_type and one.received_at >= since
            if user_ids is None or one.user_id in user_ids
        )

    def users_with_samples(self, project: str, metric: Metric) -> list[str]:
        return list({user for user, of, _ in self._rows_of(project).batches if of == metric})

    def changes(self, project: str, since: int | None) -> Changes | None:
        log = self._rows_of(project).changes
        return Changes(len(log), [] if since is None else log[since:])

    @contextmanager
    def snapshot(self, project: str) -> Iterator["ModelSnapshot"]:
        with self._lock:
            rows = self._rows_of(project)
            made = Rows(**{one.name: copy(getattr(rows, one.name)) for one in fields(rows)})
            snapshot = ModelSnapshot(made, {0: self._commits} if self._commits else {})
        yield snapshot

    def erase(self, project: str, user_id: str, erasure_id: str, moment: int) -> Erasure:
        with self._lock:
            rows = self._rows_of(project)
            tied = {
                name
                for (name, owner), one in rows.rejections.items()
                if owner == user_id and one.record.parts == TIED
            }
            _take(rows.rejections, lambda key, _: key[0] in tied and key[1] != user_id)
            batches = _take(rows.batches, lambda key, _: key[0] == user_id)
            receipts = [receipt for receipt in rows.receipts if receipt.user_id != user_id]
            counts = {
                "users": int(rows.users.pop(user_id, None) is not None),
                "samples": sum(batch.count for _, batch in batches),
                "documents": len(_take(rows.documents, lambda _, row: row[1].user_id == user_id)),
                "images": len(_take(rows.images, lambda key, _: key[0] == user_id)),
                "rejections": len(_take(rows.rejections, lambda key, _: key[1] == user_id)),
                "keys": len(
                    _take(self._keys, lambda _, key: (key.project, key.user) == (project, user_id))
                ),
                "receipts": len(rows.receipts) - len(receipts),
            }
            rows.receipts = receipts
            rows.tombstones.add(user_id)
            user_hash = self.user_hash(user_id)
            rows.changes = [
                replace(one, users=[name for name in one.users if name != user_id])
                for one in rows.changes
            ]
            rows.changes.append(Change(ids.time_ordered(), [], [user_hash]))
            rows.erasures[erasure_id] = Erasure(erasure_id, user_hash, moment, counts)
            return rows.erasures[erasure_id]

    def close(self) -> None:
        """See `Installation.close`."""


def _over_limit(rows: Rows, entry: Entry) -> tuple[Written, ...]:
    """The outcome of an entry that exceeds the limits of attributes; () for others."""
    states: dict[str, dict[str, str]] = {}
    over: dict[int, NotStored] = {}
    for place, record in enumerate(entry.records):
        if not isinstance(record, Attributes) or record.user_id in rows.tombstones:
            continue
        user = rows.users.get(record.user_id)
        before = states.get(record.user_id, {} if user is None else user.attributes)
        after = states[record.user_id] = before | record.mapping()
        if exceeds_limits(before, after):
            over[place] = NotStored(len(after), attribute_bytes(after))
    places = range(len(entry.records)) if over else ()
    return tuple(over.get(place, NotStored()) for place in places)


def _joined(
    rejections: dict[tuple[str, str], StoredRejection], rejection_id: str, user_id: str | None
) -> StoredRejection:
    """A rejection, or its part for one user."""
    first, *others = (
        one
        for (name, owner), one in sorted(rejections.items())
        if name == rejection_id and user_id in {None, owner}
    )
    return replace(first, others=tuple(one.record for one in others))


def _has(rejection: StoredRejection, only: RejectionFilter) -> bool:
    record = rejection.record
    return (
        only.format in {None, record.format}
        and only.key_id in {None, record.key_id}
        and only.user_id in {None, record.user_id}
        and only.request_id in {None, rejection.request_id}
        and (only.code is None or any(fault.code == only.code for fault in record.faults))
        and (only.since is None or rejection.received_at >= only.since)
        and (only.until is None or rejection.received_at < only.until)
        and only.resolved in {None, rejection.resolved_by is not None}
    )


def _is_among(document: StoredDocument, only: DocumentFilter) -> bool:
    return (
        only.type in {None, document.type}
        and (only.since is None or document.received_at >= only.since)
        and (only.until is None or document.received_at < only.until)
    )


def _columns(users: Sequence[User]) -> list[Profiles]:
    encode = msgspec.json.encode
    ids = "\0".join(user.user_id for user in users).encode()
    first, last = [user.first_seen for user in users], [user.last_seen for user in users]
    values = encode([user.attributes for user in users])
    return [Profiles(None, ids, encode(first), encode(last), values)] if users else []


def _built(kind: type[Value], values: dict[str, Any]) -> Value:
    return kind(**{name: values[name] for name in kind.__struct_fields__})  # type: ignore[attr-defined]


def _take(rows: dict[Key_, Value], gone: Callable[[Key_, Value], bool]) -> Collection[Value]:
    """Delete the rows for which `gone` is true of key and value, and return them."""
    taken = {key: value for key, value in rows.items() if gone(key, value)}
    for key in taken:
        del rows[key]
    return taken.values()

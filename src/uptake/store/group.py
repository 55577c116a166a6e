"""The rows of a group of entries, by statement: made before the transaction, receipts within it."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from uptake.model.items import Attributes
from uptake.model.shares import OTHER_PART, TIED
from uptake.store.database import Row
from uptake.store.profiles import AttributeUpdates, Owner
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    Erased,
    ImageRecord,
    Record,
    RejectionRecord,
    Written,
    WrittenDocument,
    WrittenImage,
    has_other_content,
)
from uptake.store.rejections import parts_text
from uptake.store.stored import ReceiptItem, StoredReceipt

_BATCH = ("metric", "digest", "first", "last", "count", "columns")
_WITH_OUTCOME = (DocumentRecord, ImageRecord)

_encode = msgspec.msgpack.Encoder().encode


class Group:
    """The rows of entries, by statement; made before the transaction begins.

    Records are addressed by the number of their entry and their place in it.

    Args:
        entries: in the order in which they are written.
        erased: project and id of users that are not written.
        rejected: by number, the outcomes of entries that are not written.

    Attributes:
        batches: one row for each batch, however often it is in the group.
        with_outcome: addresses of documents, images and records of erased users.
        batch_places: by the place of a batch in its sequence, the address of its first record.
        repeated: addresses of records with a batch that occurs earlier in the group.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        erased: Collection[Owner] = (),
        rejected: Mapping[int, tuple[Written, ...]] | None = None,
    ) -> None:
        self.entries = entries
        self.erased = erased
        self.rejected = rejected or {}
        self.users: dict[Owner, Row] = {}
        self.updates = AttributeUpdates()
        self.batches: dict[tuple[str, str, str, bytes], Row] = {}
        self.uploads: list[Row] = []
        self.documents: list[Row] = []
        self.rejections: list[Row] = []
        self.with_outcome: list[tuple[int, int, Record]] = []
        self.batch_places: list[tuple[int, int]] = []
        self.repeated: set[tuple[int, int]] = set()
        for number, entry in enumerate(entries):
            if number in self.rejected:
                continue
            for place, record in enumerate(entry.records):
                gone = self.is_erased(entry, record.user_id)
                if gone or isinstance(record, _WITH_OUTCOME):
                    self.with_outcome.append((number, place, record))
                if not gone:
                    self._add(entry, record, number, place)
            for rejection in stored_rejections(entry, erased):
                self.reject(entry, rejection)

    def _add(self, entry: Entry, record: Record, number: int, place: int) -> None:
        if isinstance(record, Attributes):
            self.updates.add(entry.project, record, entry.received_at)
        elif isinstance(record, BatchRecord):
            self._add_batch(entry, record, (number, place))
        elif isinstance(record, ImageRecord):
            self._touch(entry, record.user_id)
        elif record.digest is None:
            self.uploads.append(upload_row(entry, record))
            self.add_document(entry, record)

    def _add_batch(self, entry: Entry, record: BatchRecord, place: tuple[int, int]) -> None:
        row = self._touch(entry, record.user_id)
        key = (entry.project, record.user_id, record.metric, record.digest)
        stored = self.batches.get(key)
        if stored is None:
            row |= {name: getattr(record, name) for name in _BATCH}
            self.batches[key] = row | {"repeats": 0}
        else:
            self.repeated.add(place)
            stored["repeats"] += 1
            place = self.batch_places[stored["place"]]
        self.batches[key] |= {"place": len(self.batch_places), "received_at": entry.received_at}
        self.batch_places.append(place)

    def _touch(self, entry: Entry, user_id: str) -> Row:
        key = {"project_id": entry.project, "user_id": user_id}
        moment = entry.received_at
        user = self.users.get((entry.project, user_id))
        if user is None:
            seen = {"first_seen": moment, "last_seen": moment}
            self.users[entry.project, user_id] = key | seen
        elif moment < user["first_seen"]:
            user["first_seen"] = moment
        elif moment > user["last_seen"]:
            user["last_seen"] = moment
        return key

    @property
    def owners(self) -> Collection[Owner]:
        """Project and id of every user that is written."""
        users, updated = self.users.keys(), self.updates.rows.keys()
        return users | updated if users and updated else users or updated

    def is_erased(self, entry: Entry, user_id: str) -> bool:
        """Whether this user is not written."""
        return bool(self.erased) and (entry.project, user_id) in self.erased

    def places_of(self, owners: Collection[Owner]) -> set[tuple[int, int]]:
        """Return the addresses of the first attributes of each of these users."""
        left, places = set(owners), set()
        for number, entry in enumerate(self.entries):
            if number in self.rejected:
                continue
            for place, record in enumerate(entry.records):
                owner = (entry.project, record.user_id)
                if owner in left and isinstance(record, Attributes):
                    left.remove(owner)
                    if record.names:
                        places.add((number, place))
        return places

    def images(self) -> list[tuple[int, int, ImageRecord]]:
        """Return the images with their addresses, sorted by project as `ImageWrites` requires."""
        found = [
            (number, place, record)
            for number, place, record in self.with_outcome
            if isinstance(record, ImageRecord)
            and not self.is_erased(self.entries[number], record.user_id)
        ]
        return sorted(found, key=lambda image: self.entries[image[0]].project)

    def add_document(self, entry: Entry, record: DocumentRecord) -> None:
        """Add a document. Its upload id is claimed already."""
        self.documents.append(
            {
                **self._touch(entry, record.user_id),
                "upload_id": record.upload_id,
                "type": record.type,
                "version": record.version,
                "received_at": entry.received_at,
                "data": record.data,
            }
        )

    def reject(self, entry: Entry, rejection: RejectionRecord) -> None:
        """Add a rejection."""
        if self.is_erased(entry, rejection.user_id):
            return
        row = msgspec.structs.asdict(rejection) | {
            "faults": msgspec.json.encode(rejection.faults).decode(),
            "context": msgspec.json.encode(rejection.context).decode(),
            "parts": parts_text(rejection.parts),
        }
        row |= {"project_id": entry.project, "request_id": entry.request_id}
        self.rejections.append(row | {"received_at": entry.received_at})


def upload_row(entry: Entry, record: DocumentRecord) -> Row:
    """Return the row of the upload id of a document."""
    key = {"project_id": entry.project, "user_id": record.user_id}
    return {**key, "upload_id": record.upload_id, "digest": record.digest}


def stored_rejections(entry: Entry, erased: Collection[Owner]) -> list[RejectionRecord]:
    """The rejections of an entry without those of users who were erased."""
    if not erased:
        return list(entry.rejections)
    gone = {
        rejection.rejection_id
        for rejection in entry.rejections
        if rejection.parts == TIED and (entry.project, rejection.user_id) in erased
    }
    return [
        rejection
        for rejection in entry.rejections
        if rejection.rejection_id not in gone and (entry.project, rejection.user_id) not in erased
    ]


def receipt_of(
    entry: Entry, written: Sequence[Written], erased: Collection[Owner]
) -> StoredReceipt:
    """The receipt of an entry, which names no user that was erased.

    The answer to the request is derived from it, so that both report the same outcomes.
    """
    users: set[str] = set()
    items: list[ReceiptItem] = []
    gone = attributes = duplicates = 0
    status, code = 0, ""
    if error := entry.error:
        status, code = error.status, error.code
        if (entry.project, error.user_id) not in erased:
            users.add(error.user_id)
    rejections = stored_rejections(entry, erased)
    users.update(rejection.user_id for rejection in rejections)
    for record, outcome in zip(entry.records, written, strict=True):
        if isinstance(outcome, Erased):
            gone += record.received if isinstance(record, BatchRecord) else 1
            continue
        users.add(record.user_id)
        if isinstance(record, Attributes):
            attributes += 1
            duplicates += outcome is not None
        elif isinstance(record, BatchRecord):
            items.append(ReceiptItem("samples", record.received))
            duplicates += record.received - (record.count if outcome is None else 0)
        elif has_other_content(record, outcome):
            rejections += [record.otherwise] if record.otherwise else []
        else:
            item = _single_item(record, outcome)
            items.append(item)
            duplicates += item.repeated
    rejected = {rejection.rejection_id for rejection in rejections}
    counted = [ReceiptItem("erased", gone)] if gone else []
    if attributes:
        counted.append(ReceiptItem("attributes", attributes))
    return StoredReceipt(
        entry.request_id,
        entry.received_at,
        entry.format,
        entry.key_id,
        users.pop() if len(users) == 1 and not attributes else "",
        (*counted, *items),
        (min(rejected), max(rejected)) if rejected else None,
        duplicates,
        status,
        code,
        entry.ms,
        len(rejected) or None,
        _first_code(rejections),
    )


def _first_code(rejections: Sequence[RejectionRecord]) -> str | None:
    """The code of the first fault, if there is any."""
    for rejection in rejections:
        for fault in rejection.faults:
            if fault != OTHER_PART:
                return fault.code
    return None


def _single_item(record: DocumentRecord | ImageRecord, outcome: Written) -> ReceiptItem:
    match outcome:
        case WrittenImage():
            return ReceiptItem("image", 1, str(outcome.image_id), repeated=not outcome.new)
        case WrittenDocument() if isinstance(record, DocumentRecord):
            return ReceiptItem("document", 1, record.upload_id, repeated=not outcome.new)
    raise TypeError(type(outcome).__name__)


def receipt_row(project: str, receipt: StoredReceipt, place: int) -> Row:
    """Return the row of a receipt. Its entry has this place in the group."""
    first, last = receipt.rejected or (None, None)
    return msgspec.structs.asdict(receipt) | {
        "project_id": project,
        "place": place,
        "items": _encode(receipt.items),
        "first_refused": first,
        "last_refused": last,
    }

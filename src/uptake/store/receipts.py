"""What became of every item of a request, as a row."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from uptake.model.items import Attributes
from uptake.model.shares import TIED
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    Erased,
    ImageRecord,
    Record,
    RejectionRecord,
    RequestError,
    Unchanged,
    Written,
    WrittenDocument,
    WrittenImage,
)
from uptake.store.stored import ReceiptItem, StoredReceipt


def stored_rejections(entry: Entry, erased: Collection[tuple[str, str]]) -> list[RejectionRecord]:
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


def receipt_row(
    entry: Entry, written: Sequence[Written], place: int, erased: Collection[tuple[str, str]]
) -> dict[str, Any]:
    """The receipt of an entry, written as the one at this place of its group."""
    receipt = receipt_of(entry, written, erased)
    first, last = receipt.rejected or (None, None)
    return {
        "project_id": entry.project,
        "request_id": receipt.request_id,
        "received_at": receipt.received_at,
        "place": place,
        "format": receipt.format,
        "key_id": receipt.key_id,
        "user_id": receipt.user_id,
        "items": _encode(receipt.items),
        "first_refused": first,
        "last_refused": last,
        "duplicates": receipt.duplicates,
        "status": receipt.status,
        "code": receipt.code,
    }


def receipt_of(
    entry: Entry, written: Sequence[Written], erased: Collection[tuple[str, str]]
) -> StoredReceipt:
    """What became of an entry, after what was written of it, of all but users who were erased."""
    if entry.error is not None:
        return _receipt_of_error(entry, entry.error, erased)
    users: set[str] = set()
    rejected: list[str] = []
    items: list[ReceiptItem] = []
    gone = attributes = 0
    for rejection in stored_rejections(entry, erased):
        users.add(rejection.user_id)
        rejected.append(rejection.rejection_id)
    for record, stands in zip(entry.records, written, strict=True):
        if isinstance(stands, Erased):
            gone += _size(record)
            continue
        users.add(record.user_id)
        if isinstance(record, Attributes):
            attributes += 1
            continue
        item = _item(record, stands)
        if item is not None:
            items.append(item)
        elif isinstance(record, DocumentRecord) and record.otherwise is not None:
            rejected.append(record.otherwise.rejection_id)
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
        duplicates_in(entry.records, written),
    )


def _receipt_of_error(
    entry: Entry, error: RequestError, erased: Collection[tuple[str, str]]
) -> StoredReceipt:
    user_id = "" if (entry.project, error.user_id) in erased else error.user_id
    return StoredReceipt(
        entry.request_id,
        entry.received_at,
        entry.format,
        entry.key_id,
        user_id,
        (),
        None,
        status=error.status,
        code=error.code,
    )


def _size(record: Record) -> int:
    return record.received if isinstance(record, BatchRecord) else 1


def _item(record: Record, stands: Written) -> ReceiptItem | None:
    """What is told of a record that was kept; nothing of attributes, which are counted."""
    if isinstance(record, BatchRecord):
        return ReceiptItem("samples", record.received)
    if isinstance(record, ImageRecord) and isinstance(stands, WrittenImage):
        return ReceiptItem("image", 1, str(stands.image_id), repeated=not stands.new)
    if not isinstance(record, DocumentRecord) or not isinstance(stands, WrittenDocument):
        return None
    if stands.digest != record.digest:
        return None
    return ReceiptItem("document", 1, record.upload_id, repeated=not stands.new)


def receipt_from(row: dict[str, Any]) -> StoredReceipt:
    """A receipt from its row."""
    first, last = row["first_refused"], row["last_refused"]
    return StoredReceipt(
        row["request_id"],
        row["received_at"],
        row["format"],
        row["key_id"],
        row["user_id"],
        _decode(row["items"]),
        None if first is None else (first, last),
        row["duplicates"],
        row["status"],
        row["code"],
    )


def duplicates_in(records: Sequence[Record], written: Sequence[Written]) -> int:
    """Count the items that changed nothing, because they were stored already.

    Samples that occur more than once in a batch count from the second on.
    """
    return sum(
        _duplicates(record, outcome)
        for record, outcome in zip(records, written, strict=True)
        # New attributes are most of what is written, a hundred in a request: not one call each.
        if outcome is not None or type(record) is BatchRecord
    )


def _duplicates(record: Record, written: Written) -> int:
    if isinstance(record, BatchRecord) and written is None:
        return record.received - record.count
    if isinstance(written, Unchanged):
        return record.received if isinstance(record, BatchRecord) else 1
    if isinstance(written, WrittenImage):
        return int(not written.new)
    if isinstance(written, WrittenDocument) and isinstance(record, DocumentRecord):
        return int(not written.new and written.digest == record.digest)
    return 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[ReceiptItem, ...]).decode

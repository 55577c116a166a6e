"""The receipt of a request: the outcome of each of its items."""

from collections.abc import Collection, Sequence
from typing import Any, TypeGuard

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


def receipt_of(
    entry: Entry, written: Sequence[Written], erased: Collection[tuple[str, str]]
) -> StoredReceipt:
    """The receipt of an entry, which names no user that was erased.

    The answer to the request is derived from it, so that both report the same outcomes.
    """
    if entry.error is not None:
        return _receipt_of_error(entry, entry.error, erased)
    users: set[str] = set()
    rejected: list[str] = []
    items: list[ReceiptItem] = []
    gone = attributes = duplicates = 0
    for rejection in stored_rejections(entry, erased):
        users.add(rejection.user_id)
        rejected.append(rejection.rejection_id)
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
            rejected += [record.otherwise.rejection_id] if record.otherwise else []
        else:
            item = _single_item(record, outcome)
            items.append(item)
            duplicates += item.repeated
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
    )


def has_other_content(record: Record, written: Written) -> TypeGuard[DocumentRecord]:
    """Whether the upload id of a document is taken by a document with other content."""
    return (
        isinstance(record, DocumentRecord)
        and isinstance(written, WrittenDocument)
        and written.digest != record.digest
    )


def _single_item(record: DocumentRecord | ImageRecord, outcome: Written) -> ReceiptItem:
    match outcome:
        case WrittenImage():
            return ReceiptItem("image", 1, str(outcome.image_id), repeated=not outcome.new)
        case WrittenDocument() if isinstance(record, DocumentRecord):
            return ReceiptItem("document", 1, record.upload_id, repeated=not outcome.new)
    raise TypeError(type(outcome).__name__)


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


def receipt_row(project: str, receipt: StoredReceipt, place: int) -> dict[str, Any]:
    """Return the row of a receipt. Its entry has this place in the group."""
    first, last = receipt.rejected or (None, None)
    return {
        "project_id": project,
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


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[ReceiptItem, ...]).decode

"""What became of every item of a request, as a row."""

from collections.abc import Sequence
from typing import Any

import msgspec

from uptake.model.items import Attributes
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    KeptReceipt,
    ReceiptItem,
    Written,
    WrittenDocument,
    WrittenImage,
)


def receipt_row(entry: Entry, written: Sequence[Written], place: int) -> dict[str, Any]:
    """The receipt of an entry, written as the one at this place of its group."""
    receipt = receipt_of(entry, written)
    first, last = receipt.refused or (None, None)
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
    }


def receipt_of(entry: Entry, written: Sequence[Written]) -> KeptReceipt:
    """What became of an entry, after what was written of it."""
    items: list[ReceiptItem] = []
    refused = [rejection.rejection_id for rejection in entry.rejections]
    users = {rejection.user_id for rejection in entry.rejections}
    attributes = 0
    for record, stands in zip(entry.records, written, strict=True):
        if isinstance(record, Attributes):
            attributes += 1
            continue
        users.add(record.user_id)
        if isinstance(record, BatchRecord):
            items.append(ReceiptItem("samples", record.received))
        elif isinstance(record, ImageRecord) and isinstance(stands, WrittenImage):
            number = str(stands.image_id)
            items.append(ReceiptItem("image", 1, number, repeated=not stands.new))
        elif isinstance(record, DocumentRecord) and isinstance(stands, WrittenDocument):
            if stands.digest == record.digest:
                item = ReceiptItem("document", 1, record.upload_id, repeated=not stands.new)
                items.append(item)
            elif record.otherwise is not None:
                refused.append(record.otherwise.rejection_id)
    if attributes:
        items.append(ReceiptItem("attributes", attributes))
        users |= {entry.records[0].user_id} if len(entry.records) == 1 else {"", "several"}
    return KeptReceipt(
        entry.request_id,
        entry.received_at,
        entry.format,
        entry.key_id,
        users.pop() if len(users) == 1 else "",
        tuple(items),
        (min(refused), max(refused)) if refused else None,
    )


def receipt_from(row: dict[str, Any]) -> KeptReceipt:
    """A receipt from its row."""
    first, last = row["first_refused"], row["last_refused"]
    return KeptReceipt(
        row["request_id"],
        row["received_at"],
        row["format"],
        row["key_id"],
        row["user_id"],
        _decode(row["items"]),
        None if first is None else (first, last),
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[ReceiptItem, ...]).decode

"""The rows of the outbox, from the items that a group of entries writes."""

from collections.abc import Iterator, Sequence
from itertools import count

import msgspec

from uptake.model.items import Attributes
from uptake.store.database import Row
from uptake.store.group import Group
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    ImageRecord,
    Record,
    Written,
    WrittenDocument,
    WrittenImage,
)

_encode = msgspec.msgpack.Encoder().encode


def outbox_rows(group: Group, written: Sequence[Sequence[Written]]) -> Iterator[Row]:
    """Yield the rows of items that are sent on, in the order in which they were received.

    A repeated batch is sent again, because it replaces what was received in between. Repeated
    documents and images change nothing, and are not.
    """
    places = count()
    for number, entry in enumerate(group.entries):
        if not entry.outgoing or number in group.rejected:
            continue
        for record, outcome in zip(entry.records, written[number], strict=True):
            item = None if group.is_erased(entry, record.user_id) else _item(record, outcome)
            if item is None:
                continue
            for target in entry.outgoing:
                if target.takes(item["kind"], item["type"]):
                    yield item | {
                        "project_id": entry.project,
                        "user_id": record.user_id,
                        "destination_id": target.destination_id,
                        "received_at": entry.received_at,
                        "place": next(places),
                    }


def _item(record: Record, outcome: Written) -> Row | None:
    """The columns of an item; None for one that is stored already."""
    kind, of_type, content, number = "samples", "", b"", 1
    if isinstance(record, BatchRecord):
        of_type, content, number = record.metric, record.columns, record.count
    elif isinstance(record, Attributes):
        kind, content = "attributes", _encode([record.names, list(record.values)])
    elif isinstance(record, DocumentRecord):
        if not (isinstance(outcome, WrittenDocument) and outcome.new):
            return None
        kind, of_type, content = "document", record.type, record.upload_id.encode()
    elif isinstance(record, ImageRecord):
        if not (isinstance(outcome, WrittenImage) and outcome.new):
            return None
        kind, content = "image", str(outcome.image_id).encode()
    return {"kind": kind, "type": of_type, "content": content, "count": number}

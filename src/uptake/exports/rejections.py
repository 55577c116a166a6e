"""Rejections as Arrow columns, each with its reasons and with the item as it was sent.

A rejected body about several users has a row for each of them, with that user's share.
"""

import base64
from collections.abc import Iterator

import msgspec
import pyarrow as pa

from uptake.blobs import Blobs
from uptake.exports import Question
from uptake.exports.ndjson import JSON_TEXT, row_lines
from uptake.exports.portions import portions
from uptake.exports.selecting import selections
from uptake.exports.tables import Table
from uptake.model.shares import TIED
from uptake.reading.rejections import as_json, raw_of
from uptake.store.base import Snapshot
from uptake.store.stored import StoredRejection

SCHEMA = pa.schema(
    [
        pa.field("rejection_id", pa.string(), nullable=False),
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("received_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("key_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string()),
        pa.field("index", pa.int32()),
        pa.field("faults", pa.string(), nullable=False, metadata=JSON_TEXT),
        pa.field("resolved_by", pa.string()),
        pa.field("item", pa.string(), metadata=JSON_TEXT),
        pa.field("raw_base64", pa.string()),
    ]
)
"""`item` is JSON text; where what was sent is no JSON, `raw_base64` has it."""

_encode = msgspec.json.Encoder().encode


def rejections(snapshot: Snapshot, question: Question, blobs: Blobs) -> Table:
    """All rejections that are asked for, by user and id or, with `since`, as received.

    Reading the rows raises `BlobsUnavailable` where a large item cannot be read.
    """

    def found() -> Iterator[StoredRejection]:
        for only in selections(snapshot, question):
            yield from snapshot.rejections(only)

    def row(kept: StoredRejection) -> tuple[str | int | None, ...]:
        record = kept.record
        # A body that cannot be divided is in no export that is about some users alone.
        hidden = record.parts == TIED and (question.users is not None or not record.raw)
        raw = b"" if hidden else raw_of(blobs, record)
        sound = as_json(raw) is not None
        return (
            record.rejection_id,
            kept.request_id,
            kept.received_at,
            record.format,
            record.key_id,
            record.user_id or None,
            record.position,
            _encode(record.faults).decode(),
            kept.resolved_by,
            raw.decode() if sound else None,
            None if sound or hidden else base64.b64encode(raw).decode(),
        )

    return Table(SCHEMA, portions(found(), row, SCHEMA), row_lines)

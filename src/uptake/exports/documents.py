"""Documents as Arrow columns, their data as the text that was sent."""

from collections.abc import Iterator

import pyarrow as pa

from uptake.exports import Question
from uptake.exports.ndjson import JSON_TEXT, row_lines
from uptake.exports.portions import portions
from uptake.exports.selecting import selections
from uptake.exports.tables import Table
from uptake.store.base import Snapshot
from uptake.store.stored import StoredDocument

SCHEMA = pa.schema(
    [
        pa.field("upload_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("received_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("data", pa.string(), nullable=False, metadata=JSON_TEXT),
    ]
)


def documents(snapshot: Snapshot, question: Question) -> Table:
    """All documents that are asked for, by user and id or, with `since`, as received."""

    def found() -> Iterator[StoredDocument]:
        for only in selections(snapshot, question):
            yield from snapshot.documents(question.type_name, only)

    return Table(SCHEMA, portions(found(), _row, SCHEMA), row_lines)


def _row(kept: StoredDocument) -> tuple[str | int, ...]:
    told = kept.data.decode()
    return kept.upload_id, kept.user_id, kept.type, kept.version, kept.received_at, told

"""Each kind of data as an Arrow table, read in batches from one snapshot."""

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, TypeVar

import msgspec
import pyarrow as pa

from uptake.blobs import Blobs
from uptake.exports import ExportQuery
from uptake.exports.ndjson import JSON_TEXT, present_lines, row_lines, sample_lines
from uptake.exports.rollups import ROLLUPS, rollup_batches
from uptake.exports.samples import SAMPLES, blocks, gathered, record_batch
from uptake.model.shares import TIED
from uptake.reading import BadCursor, from_cursor, to_cursor
from uptake.reading.rejections import as_json, raw_of
from uptake.store.commit_sequence import NUMBER_BITS, WRITER_SLOTS, CommitSequence
from uptake.store.snapshot_ports import Snapshot
from uptake.store.stored import Selection, StoredDocument, StoredRejection, StoredUser
from uptake.time_units import TICKS_PER_MICROSECOND

USERS_AT_ONCE = 10_000
"""User ids that are in memory at a time."""

ROWS_AT_ONCE = 8192
BYTES_AT_ONCE = 4 << 20
"""A batch ends at this many rows or this many bytes of text."""

CELLS_AT_ONCE = 1 << 18
"""Rows times columns of a batch of profiles, for projects with many attributes."""

UTC = pa.timestamp("us", "UTC")
DOCUMENTS = pa.schema(
    [
        pa.field("upload_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("received_at", UTC, nullable=False),
        pa.field("data", pa.string(), nullable=False, metadata=JSON_TEXT),
    ]
)
REJECTIONS = pa.schema(
    [
        pa.field("rejection_id", pa.string(), nullable=False),
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("received_at", UTC, nullable=False),
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
"""`item` is JSON text; an item that is not JSON is in `raw_base64` instead."""

USERS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("first_seen", UTC, nullable=False),
        pa.field("last_seen", UTC, nullable=False),
    ]
)

Row = tuple[Any, ...]
Stored = TypeVar("Stored")
_Slot = Annotated[int, msgspec.Meta(ge=0, lt=WRITER_SLOTS)]
_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << NUMBER_BITS)]
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that can be read once.

    Attributes:
        schema: the columns.
        batches: the rows, in batches of the size in which they are written.
        lines: formats a batch as NDJSON.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    lines: Callable[[pa.RecordBatch], bytes]


def table_of(snapshot: Snapshot, blobs: Blobs, query: ExportQuery, sample_rows: int) -> Table:
    """Return the rows that a query selects.

    Args:
        snapshot: where they are read.
        blobs: where large rejected items are read; reading rows may raise `BlobsUnavailable`.
        query: selects the rows.
        sample_rows: samples in each batch.

    Raises:
        BadCursor: this server did not issue `since`.
    """
    match query.kind:
        case "samples":
            found = gathered(blocks(snapshot, query, selections(snapshot, query)), sample_rows)
            return Table(SAMPLES, (record_batch(some) for some in found), sample_lines)
        case "rollups":
            rollups = rollup_batches(snapshot, query, selections(snapshot, query))
            return Table(ROLLUPS, joined(rollups, ROLLUPS), row_lines)
        case "profiles":
            return _profiles(snapshot, query)
        case "documents":
            return _documents(snapshot, query)
        case "rejections":
            return _rejections(snapshot, query, blobs)
        case "users":
            row = attrgetter("user_id", "first_seen", "last_seen")
            return Table(USERS, batched(_users(snapshot, query), row, USERS), row_lines)


def cursor_of(sequence: CommitSequence) -> str:
    """Return the cursor of an export from a snapshot with this commit sequence."""
    return to_cursor(dict(sorted(sequence.items())))


def commit_sequence_of(cursor: str | None, snapshot: Snapshot) -> CommitSequence | None:
    """Return the commit sequence that a cursor contains.

    Raises:
        BadCursor: this server did not issue the cursor, or the database is older than the cursor
            because it was restored from a copy.
    """
    if cursor is None:
        return None
    sequence: CommitSequence = from_cursor(cursor, dict[_Slot, _Number])
    if any(number > snapshot.commit_sequence.get(slot, 0) for slot, number in sequence.items()):
        raise BadCursor("the cursor is newer than the database: start with a complete export")
    return sequence


def selections(snapshot: Snapshot, query: ExportQuery) -> Iterator[Selection]:
    """Yield the parts of a query, in order of user, for a snapshot to read.

    Raises:
        BadCursor: this server did not issue `since`.
    """
    since = commit_sequence_of(query.since, snapshot)
    start, end = (None if bound is None else bound.ticks for bound in (query.start, query.end))
    if query.kind not in {"samples", "rollups"}:
        start, end = _microseconds(start), _microseconds(end)
    if query.users is None:
        yield Selection(None, since, start, end)
        return
    users = iter(query.users())
    while some := list(islice(users, USERS_AT_ONCE)):
        yield Selection(some, since, start, end)


def _microseconds(ticks: int | None) -> int | None:
    """The first whole microsecond at or after an instant."""
    return None if ticks is None else -(-ticks // TICKS_PER_MICROSECOND)


def batched(
    stored: Iterable[Stored],
    row: Callable[[Stored], Row],
    schema: pa.Schema,
    rows: int = ROWS_AT_ONCE,
) -> Iterator[pa.RecordBatch]:
    """Yield record batches of about the same size from rows of very different sizes.

    Args:
        stored: what the rows are made of.
        row: returns the values of a row, in the order of the columns.
        schema: the columns.
        rows: rows of a batch at most.
    """
    waiting: list[Row] = []
    size = 0
    for one in stored:
        values = row(one)
        waiting.append(values)
        size += sum(len(value) for value in values if isinstance(value, str))
        if size >= BYTES_AT_ONCE or len(waiting) >= rows:
            yield _batch(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, schema)


def joined(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int = ROWS_AT_ONCE
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of many small batches in batches of at least this many rows."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= rows:
            yield _concatenated(waiting, schema)
            waiting = []
    if waiting:
        yield _concatenated(waiting, schema)


def _concatenated(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    (batch,) = pa.Table.from_batches(batches, schema).combine_chunks().to_batches()
    return batch


def _batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _users(snapshot: Snapshot, query: ExportQuery) -> Iterator[StoredUser]:
    for only in selections(snapshot, query):
        yield from snapshot.users(only)


def _profiles(snapshot: Snapshot, query: ExportQuery) -> Table:
    """One row for each user and one column for each attribute.

    An attribute that a user does not have is null; one with an empty value is an empty string.
    """
    names: set[str] = set()
    for only in selections(snapshot, query):
        names.update(snapshot.attribute_names(only))
    listed = sorted(names)
    fields = [pa.field("user_id", pa.string(), nullable=False)]
    schema = pa.schema(fields + [pa.field(name, pa.string()) for name in listed])

    def row(user: StoredUser) -> Row:
        return user.user_id, *map(user.attributes.get, listed)

    rows = min(ROWS_AT_ONCE, 1 + CELLS_AT_ONCE // len(schema))
    return Table(schema, batched(_users(snapshot, query), row, schema, rows), present_lines)


def _documents(snapshot: Snapshot, query: ExportQuery) -> Table:
    """Documents by user and id or, with `since`, in the order in which they were received."""

    def found() -> Iterator[StoredDocument]:
        for only in selections(snapshot, query):
            yield from snapshot.documents(query.type_name, only)

    def row(one: StoredDocument) -> Row:
        data = one.data.decode()
        return one.upload_id, one.user_id, one.type, one.version, one.received_at, data

    return Table(DOCUMENTS, batched(found(), row, DOCUMENTS), row_lines)


def _rejections(snapshot: Snapshot, query: ExportQuery, blobs: Blobs) -> Table:
    """Rejections by user and id or, with `since`, in the order in which they were received.

    A rejected body about several users has a row for each of them, with that user's share.
    """

    def found() -> Iterator[StoredRejection]:
        for only in selections(snapshot, query):
            yield from snapshot.rejections(only)

    def row(one: StoredRejection) -> Row:
        record = one.record
        # A body that cannot be divided is left out of exports about some users only.
        hidden = record.parts == TIED and (query.users is not None or not record.raw)
        raw = b"" if hidden else raw_of(blobs, record)
        is_json = as_json(raw) is not None
        return (
            record.rejection_id,
            one.request_id,
            one.received_at,
            record.format,
            record.key_id,
            record.user_id or None,
            record.position,
            _encode(record.faults).decode(),
            one.resolved_by,
            raw.decode() if is_json else None,
            None if is_json or hidden else base64.b64encode(raw).decode(),
        )

    return Table(REJECTIONS, batched(found(), row, REJECTIONS), row_lines)

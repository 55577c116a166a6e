"""The tables. Keys of users' data start with `(project_id, user_id)`: they can be distributed."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    and_,
)

from uptake.store import key_tables, member_tables, outbox_tables, table_types

metadata = table_types.metadata
String = table_types.String
keys = key_tables.keys
outbox = outbox_tables.outbox
segment_members = member_tables.segment_members

projects = Table(
    "projects",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # Whether samples of unknown users are rejected: 1 or 0.
    Column("require_registration", SmallInteger, nullable=False, server_default="0"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

segments = Table(
    "segments",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("filter", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

document_types = Table(
    "document_types",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("schema", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)

type_versions = Table(
    "type_versions",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("schema", Text),
    Column("created_at", BigInteger, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("lane", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

users = Table(
    "users",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("mark", BigInteger, nullable=False),
    # Values as a JSON array in the order of a set of names, or a JSON object if `names` is NULL.
    Column("names", LargeBinary),
    Column("attributes", LargeBinary),
    # Whether all attributes of the last upload were stored already: 1 or 0.
    Column("attributes_mark", BigInteger),
    # No block of the user ends later. NULL: unknown.
    Column("folded_until", BigInteger),
    # Each sync replaces each row. With free space on its page, an update needs no index entries,
    # and the table has a third of the size (measured).
    postgresql_with={"fillfactor": 50},
    sqlite_with_rowid=False,
)

attribute_names = Table(
    "attribute_names",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("names", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

names_of_users = and_(
    attribute_names.c.project_id == users.c.project_id, attribute_names.c.digest == users.c.names
)
"""Joins users with the names of their attributes."""

changes = Table(
    "changes",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("change_id", String, primary_key=True),
    Column("size", Integer, nullable=False),
    # JSON arrays: ids of users, digests of ids. Both are NULL in the oldest row after pruning.
    Column("users", LargeBinary),
    Column("erased", LargeBinary),
    sqlite_with_rowid=False,
)

sample_batches = Table(
    "sample_batches",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("metric", String, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    # Number of times it was received again.
    Column("repeats", Integer, nullable=False, server_default="0"),
    Index("sample_batches_by_mark", "project_id", "mark"),
)

# A block holds many batches of one user and metric, which are not in `sample_batches` any more
# (`samples.blocks`).
sample_blocks = Table(
    "sample_blocks",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("metric", String, primary_key=True),
    # The end of the sample that ends last: a range of time reads the blocks that reach into it.
    Column("until", BigInteger, primary_key=True, autoincrement=False),
    # The sequence of the batch that was received last.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    # Samples of all batches, and without the repeats among them.
    Column("count", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    # Of the batch that was received first.
    Column("received_at", BigInteger, nullable=False),
    # Of the transaction that wrote the block. No batch has a later one.
    Column("mark", BigInteger, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Column("directory", LargeBinary, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    Index("sample_blocks_by_mark", "project_id", "mark"),
)

# Up to which commit of each writer slot small batches were folded.
folded = Table(
    "folded",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("lane", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

uploads = Table(
    "uploads",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("upload_id", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("digest", LargeBinary),
    sqlite_with_rowid=False,
)

documents = Table(
    "documents",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("upload_id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # With the version, so that documents can be counted by version without reading them.
    Index("documents_by_type", "project_id", "type", "user_id", "received_at", "version"),
    Index("documents_by_mark", "project_id", "mark"),
)

image_numbers = Table(
    "image_numbers",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

image_names = Table(
    "image_names",
    metadata,
    Column("name", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("image_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

images = Table(
    "images",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("image_id", BigInteger, primary_key=True),
    Column("upload_digest", LargeBinary, nullable=False),
    Column("uploaded_bytes", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("blob", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index("images_by_upload", "project_id", "user_id", "upload_digest", unique=True),
    Index("images_by_number", "project_id", "image_id"),
    sqlite_with_rowid=False,
)

rejections = Table(
    "rejections",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("rejection_id", String, primary_key=True),
    Column("request_id", String, nullable=False),
    Column("format", String, nullable=False),
    Column("key_id", String, nullable=False),
    Column("position", SmallInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("faults", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("raw_blob", String),
    Column("context", Text, nullable=False),
    Column("resolved_by", String),
    # JSON: the parts of a body about several users in this row (`model.shares`); NULL for all.
    Column("parts", Text),
    Index("rejections_by_time", "project_id", "rejection_id"),
    Index("rejections_by_mark", "project_id", "mark"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("received_at", BigInteger, primary_key=True),
    # Distinguishes requests with the same id, which clients may choose.
    Column("place", SmallInteger, primary_key=True),
    Column("format", String, nullable=False),
    Column("key_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("first_refused", String),
    Column("last_refused", String),
    # Items that changed nothing, because they were stored already.
    Column("duplicates", Integer, nullable=False, server_default="0"),
    # Of an error that was returned before any item was validated; else 0 and "".
    Column("status", SmallInteger, nullable=False, server_default="0"),
    Column("code", String, nullable=False, server_default=""),
    # NULL in receipts of an earlier version, as are the next two.
    Column("ms", Integer),
    Column("rejected_items", Integer),
    Column("fault", String),
    # 0 in receipts of an earlier version.
    Column("mark", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# Receipts that were folded; see `store.receipt_blocks`.
receipt_blocks = Table(
    "receipt_blocks",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    # Number of the day since 1970 on which the requests were received.
    Column("day", Integer, primary_key=True, autoincrement=False),
    # 1 if the ids of the requests have the time of this day, else 0.
    Column("timed", SmallInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("ids", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("receipt_blocks_by_day", "project_id", "timed", "day"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_hash", String, primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

erasures = Table(
    "erasures",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("erasure_id", String, primary_key=True),
    Column("user_hash", String, nullable=False),
    Column("erased_at", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),
    # NULL while bytes of the user may be left in the blob store.
    Column("finished_at", BigInteger),
    sqlite_with_rowid=False,
)

retention_rules = Table(
    "retention_rules",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("type", String, primary_key=True),
    Column("days", Integer, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("name", String, primary_key=True),
    Column("until", BigInteger, nullable=False),
)

tombstone_changes = Table(
    "tombstone_changes",
    metadata,
    Column("project_id", String, primary_key=True),
    # Grows with each tombstone that is set or deleted, so processes notice the change.
    Column("number", BigInteger, nullable=False),
)

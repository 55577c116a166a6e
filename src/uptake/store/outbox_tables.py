"""The destinations that data is sent to, and the outbox with what is to be sent."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, Table, Text
from sqlalchemy.schema import UniqueConstraint

from uptake.store.table_types import String, metadata

destinations = Table(
    "destinations",
    metadata,
    Column("id", String, primary_key=True),
    Column("project_id", String, nullable=False),
    # What is sent to it, and how: `relay`.
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    # JSON: what else destinations of the kind have.
    Column("settings", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("paused_at", BigInteger),
    Column("reason", Text, nullable=False, server_default=""),
    # Consecutive turns in which the destination did not answer, and when the next one may begin.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("retry_at", BigInteger, nullable=False, server_default="0"),
    # The process that sends now, and until when it does unless it renews this.
    Column("leased_by", String, nullable=False, server_default=""),
    Column("leased_until", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("project_id", "kind", "name", name="destinations_by_name"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("destination_id", String, primary_key=True),
    # The order of a user's entries: the user's revision, then the place in the group.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    # Of the item: samples, attributes, document or image; with its metric or document type.
    Column("kind", String, nullable=False),
    Column("type", String, nullable=False),
    # Columns of samples, MessagePack of attributes, or the id of a stored document or image.
    Column("content", LargeBinary, nullable=False),
    Column("count", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    # 0: to be sent. 1: dead.
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", BigInteger, nullable=False, server_default="0"),
    Column("failed_at", BigInteger),
    Column("reason", Text, nullable=False, server_default=""),
    Index(
        "outbox_by_destination",
        "project_id",
        "destination_id",
        "state",
        "user_id",
        "sequence",
        "received_at",
    ),
)

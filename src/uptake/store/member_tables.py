"""The tables of the members of segments that webhooks receive events of."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from uptake.store.table_types import String, metadata

segment_watches = Table(
    "segment_watches",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("segment", String, primary_key=True),
    Column("filter", Text, nullable=False),
    # From where the log of changes is read; NULL to compare all users.
    Column("position", BigInteger),
    Column("compared_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

segment_members = Table(
    "segment_members",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("segment", String, primary_key=True),
    Index("segment_members_by_segment", "project_id", "segment", "user_id"),
    sqlite_with_rowid=False,
)

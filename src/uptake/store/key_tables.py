"""The tables of API keys."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from uptake.store.table_types import String, metadata

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
    Column("project_id", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("user_id", String),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("name", Text),
    # JSON: the number of requests and the seconds of each rate.
    Column("rates", Text, nullable=False, server_default="[]"),
    Column("last_used_at", BigInteger),
)

# Secrets that a rotation has replaced, until their time is over.
old_secrets = Table(
    "old_secrets",
    metadata,
    Column("digest", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("old_secrets_by_key", "key_id"),
)

key_uses = Table(
    "key_uses",
    metadata,
    Column("key_id", String, primary_key=True),
    # Length of the window.
    Column("seconds", BigInteger, primary_key=True, autoincrement=False),
    Column("window", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
)

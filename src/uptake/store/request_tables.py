"""The tables of folded requests; see `store.request_pages`."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from uptake.store.tables import String, metadata

# The requests of folded receipts in order of time, without users.
request_pages = Table(
    "request_pages",
    metadata,
    Column("project_id", String, primary_key=True),
    # When the last and the first of the requests were received.
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("page_id", String, primary_key=True),
    Column("first", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # Of the transaction that folded the receipts.
    Column("mark", BigInteger, nullable=False, server_default="0"),
    Index("request_pages_by_mark", "mark"),
)

# Users have a number in these pages. After an erasure, the number leads to no user; it is not given
# again.
request_users = Table(
    "request_users",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Index("request_users_by_number", "project_id", "number", unique=True),
    sqlite_with_rowid=False,
)

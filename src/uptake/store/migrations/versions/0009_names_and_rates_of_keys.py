"""API keys have a name, several rates, a time of use, and secrets that a rotation has replaced."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


UNCHANGED = (
    *("id", "digest", "project_id", "scopes", "user_id"),
    *("created_at", "expires_at", "revoked_at"),
)


def upgrade() -> None:
    _replace_keys()
    op.create_table(
        "old_secrets",
        sa.Column("digest", NAME, primary_key=True),
        sa.Column("key_id", NAME, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_index("old_secrets_by_key", "old_secrets", ["key_id"])
    # Counts of windows that are not over: they begin at zero again.
    op.drop_table("key_uses")
    op.create_table(
        "key_uses",
        sa.Column("key_id", NAME, primary_key=True),
        sa.Column("seconds", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )


def _replace_keys() -> None:
    """Create the table again: on PostgreSQL, columns that are dropped keep their numbers."""
    connection = op.get_bind()
    old = sa.table("keys", *map(sa.column, (*UNCHANGED, "rate_requests", "rate_seconds")))
    rows = [dict(row) for row in connection.execute(sa.select(old)).mappings()]
    for row in rows:
        rate = [row.pop("rate_requests"), row.pop("rate_seconds")]
        row["rates"] = json.dumps([rate] if rate[0] is not None else [], separators=(",", ":"))
    op.drop_table("keys")
    keys = op.create_table(
        "keys",
        sa.Column("id", NAME, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("scopes", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("rates", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.bulk_insert(keys, rows)

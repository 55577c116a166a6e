"""API keys have a name, several rates, a time of use, and secrets that a rotation has replaced."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    _add_columns()
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


def _add_columns() -> None:
    op.add_column("keys", sa.Column("name", sa.Text(), nullable=True))
    op.add_column("keys", sa.Column("rates", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("keys", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    columns = ("id", "rate_requests", "rate_seconds", "rates")
    keys = sa.table("keys", *map(sa.column, columns))
    connection = op.get_bind()
    limited = sa.select(keys).where(keys.c.rate_requests.is_not(None))
    for row in connection.execute(limited).mappings().all():
        rates = json.dumps([[row["rate_requests"], row["rate_seconds"]]], separators=(",", ":"))
        connection.execute(keys.update().where(keys.c.id == row["id"]).values(rates=rates))
    op.drop_column("keys", "rate_requests")
    op.drop_column("keys", "rate_seconds")

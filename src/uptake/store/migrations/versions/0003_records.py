"""What uploads repeat is counted, and requests that are answered with an error have receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    for table, column in (
        ("users", sa.Column("attributes_mark", sa.BigInteger())),
        ("sample_batches", sa.Column("repeats", sa.Integer(), nullable=False, server_default="0")),
        ("receipts", sa.Column("duplicates", sa.Integer(), nullable=False, server_default="0")),
        ("receipts", sa.Column("status", sa.SmallInteger(), nullable=False, server_default="0")),
        ("receipts", sa.Column("code", NAME, nullable=False, server_default="")),
    ):
        op.add_column(table, column)

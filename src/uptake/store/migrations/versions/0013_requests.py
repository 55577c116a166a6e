"""Requests can be listed in order of time."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("receipts", sa.Column("ms", sa.Integer()))
    op.add_column("receipts", sa.Column("rejected_items", sa.Integer()))
    op.add_column("receipts", sa.Column("fault", NAME))
    op.create_table(
        "request_pages",
        sa.Column("project_id", NAME, primary_key=True),
        sa.Column("last", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("page_id", NAME, primary_key=True),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "request_users",
        sa.Column("project_id", NAME, primary_key=True),
        sa.Column("user_id", NAME, primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "request_users_by_number", "request_users", ["project_id", "number"], unique=True
    )

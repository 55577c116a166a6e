"""Receipts are folded into blocks, and erasures find them without an index.

The stored receipts are folded by servers in the background, page by page.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "receipt_blocks",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("timed", sa.SmallInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "day", "timed", "part"),
    )
    op.create_index("receipt_blocks_by_day", "receipt_blocks", ["project_id", "timed", "day"])
    op.drop_index("receipts_by_user", "receipts")

"""The audit log, and its head."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("address", NAME, nullable=False),
        sa.Column("action", NAME, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", NAME, nullable=False),
        sa.Column("hash", NAME, nullable=False),
    )
    op.create_index("audit_by_project", "audit", ["project_id", "sequence"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", NAME, nullable=False),
    )

"""Uploads can be paused on all nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "maintenance_mode",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
    )

"""The members of segments that webhooks receive events of."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "segment_watches",
        *(sa.Column(name, NAME, primary_key=True) for name in ("project_id", "segment")),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger()),
        sa.Column("compared_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_members",
        *(sa.Column(name, NAME, primary_key=True) for name in ("project_id", "user_id")),
        sa.Column("segment", NAME, primary_key=True),
        sqlite_with_rowid=False,
    )
    columns = ["project_id", "segment", "user_id"]
    op.create_index("segment_members_by_segment", "segment_members", columns)

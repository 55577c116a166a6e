"""Destinations that data is sent to, and an outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "destinations",
        sa.Column("id", NAME, primary_key=True),
        *(sa.Column(name, NAME, nullable=False) for name in ("project_id", "kind", "name")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("url", "secret", "settings")),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("retry_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("leased_by", NAME, nullable=False, server_default=""),
        sa.Column("leased_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.UniqueConstraint("project_id", "kind", "name", name="destinations_by_name"),
    )
    op.create_table(
        "outbox",
        *(sa.Column(name, NAME, primary_key=True) for name in ("project_id", "user_id")),
        sa.Column("destination_id", NAME, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("type", NAME, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("failed_at", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
    )
    columns = ["project_id", "destination_id", "state", "user_id", "sequence", "received_at"]
    op.create_index("outbox_by_destination", "outbox", columns)

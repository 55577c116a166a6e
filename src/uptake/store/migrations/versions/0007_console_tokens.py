"""Links to the console, and sessions in it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "console_tokens",
        sa.Column("digest", NAME, primary_key=True),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("key_digest", NAME),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )

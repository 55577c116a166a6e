"""Projects trust issuers of users' tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    texts = ("project_id", "name", "issuer", "audience", "source", "user_claim", "scopes")
    op.create_table(
        "issuers",
        sa.Column("id", NAME, primary_key=True),
        *(sa.Column(name, NAME, nullable=False) for name in texts),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("key_set", sa.Text()),
        sa.Column("read_at", sa.BigInteger()),
        sa.Column("tried_at", sa.BigInteger()),
        sa.UniqueConstraint("project_id", "name", name="issuers_by_name"),
        sa.UniqueConstraint("issuer", "audience", name="issuers_by_audience"),
    )

"""A project may require that users are registered before samples of them are sent."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column(
        "require_registration", sa.SmallInteger(), nullable=False, server_default="0"
    )
    op.add_column("projects", column)

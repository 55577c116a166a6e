"""A user's row has the end of the user's blocks: an upload of later samples reads no block."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("folded_until", sa.BigInteger()))

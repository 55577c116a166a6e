"""New requests are found by the commit that stored their receipt."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("receipts", "request_pages"):
        mark = sa.Column("mark", sa.BigInteger(), nullable=False, server_default="0")
        op.add_column(table, mark)
    op.create_index("request_pages_by_mark", "request_pages", ["mark"])

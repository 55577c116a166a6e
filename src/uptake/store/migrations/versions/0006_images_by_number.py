"""Images are found by their number in a project."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("images_by_number", "images", ["project_id", "image_id"])

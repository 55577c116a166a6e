"""The first schema, with the project that always exists."""

import sqlalchemy as sa
from alembic import op

from uptake.model import clock
from uptake.store.definitions import DEFAULT_PROJECT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Ordered by code points on every engine."""


def upgrade() -> None:
    _create_registry()
    _create_items()
    _create_changes()
    _create_images()
    _create_outcomes()
    _create_erasures()
    _create_upkeep()


def _create_registry() -> None:
    op.create_table(
        "document_types",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "name"),
    )
    op.create_table(
        "type_versions",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "name", "version"),
    )
    op.create_table(
        "segments",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "name"),
    )
    op.create_table(
        "key_uses",
        sa.Column("key_id", NAME, nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_table(
        "keys",
        sa.Column("id", NAME, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("scopes", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=True),
        sa.Column("rate_requests", sa.Integer(), nullable=True),
        sa.Column("rate_seconds", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "projects",
        sa.Column("name", NAME, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    projects = sa.table("projects", sa.column("name"), sa.column("created_at"))
    op.bulk_insert(projects, [{"name": DEFAULT_PROJECT, "created_at": clock.now()}])


def _create_items() -> None:
    op.create_table(
        "documents",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("upload_id", NAME, nullable=False),
        sa.Column("type", NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "upload_id"),
    )
    op.create_index(
        "documents_by_type",
        "documents",
        ["project_id", "type", "user_id", "received_at", "version"],
        unique=False,
    )
    op.create_index("documents_by_mark", "documents", ["project_id", "mark"], unique=False)
    op.create_table(
        "sample_batches",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("metric", NAME, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "metric", "digest"),
    )
    op.create_index(
        "sample_batches_by_mark", "sample_batches", ["project_id", "mark"], unique=False
    )
    op.create_table(
        "uploads",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("upload_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "upload_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "marks",
        sa.Column("lane", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "users",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("names", sa.LargeBinary(), nullable=True),
        sa.Column("attributes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "user_id"),
        postgresql_with={"fillfactor": 50},
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attribute_names",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("names", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "digest"),
        sqlite_with_rowid=False,
    )


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("change_id", NAME, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("users", sa.LargeBinary(), nullable=True),
        sa.Column("erased", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "position", "change_id"),
        sqlite_with_rowid=False,
    )


def _create_images() -> None:
    op.create_table(
        "image_names",
        sa.Column("name", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("image_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "image_numbers",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
    )
    op.create_table(
        "images",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("image_id", sa.BigInteger(), nullable=False),
        sa.Column("upload_digest", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_bytes", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("sha256", NAME, nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("blob", NAME, nullable=False),
        sa.Column("media_type", NAME, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "image_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "images_by_upload", "images", ["project_id", "user_id", "upload_digest"], unique=True
    )


def _create_erasures() -> None:
    op.create_index(
        "receipts_by_user",
        "receipts",
        ["project_id", "user_id"],
        sqlite_where=sa.text("user_id <> ''"),
        postgresql_where=sa.text("user_id <> ''"),
    )
    op.create_table(
        "tombstones",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_hash", NAME, nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasures",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("erasure_id", NAME, nullable=False),
        sa.Column("user_hash", NAME, nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "erasure_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tombstone_changes",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
    )


def _create_upkeep() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("type", NAME, nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "kind", "type"),
    )
    op.create_table(
        "claims",
        sa.Column("name", NAME, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_outcomes() -> None:
    op.create_table(
        "rejections",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("rejection_id", NAME, nullable=False),
        sa.Column("request_id", NAME, nullable=False),
        sa.Column("format", NAME, nullable=False),
        sa.Column("key_id", NAME, nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("raw_blob", NAME, nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("resolved_by", NAME, nullable=True),
        sa.PrimaryKeyConstraint("project_id", "user_id", "rejection_id"),
    )
    op.create_index(
        "rejections_by_time", "rejections", ["project_id", "rejection_id"], unique=False
    )
    op.create_index("rejections_by_mark", "rejections", ["project_id", "mark"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("request_id", NAME, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("format", NAME, nullable=False),
        sa.Column("key_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.Column("first_refused", NAME, nullable=True),
        sa.Column("last_refused", NAME, nullable=True),
        sa.PrimaryKeyConstraint("project_id", "request_id", "received_at", "place"),
        sqlite_with_rowid=False,
    )

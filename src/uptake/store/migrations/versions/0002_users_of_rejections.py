"""Secrets of the installation, keyed hashes of erased users, and rejections about several users.

Hashes of erased users were plain SHA-256, from which a short id is guessed at once. They become an
HMAC over the SHA-256, so that those that are stored can be converted without knowing the ids.
"""

import hmac
import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Ordered by code points on every engine."""

SECRET_BYTES = 32
WHOLE_AND_UNEXAMINED = "null"
"""The `parts` of rejections that were not searched for users yet (`store.sql_store`)."""


def upgrade() -> None:
    key = _add_secrets()
    _hash_with(key)
    op.add_column("rejections", sa.Column("parts", sa.Text(), nullable=True))
    r = sa.table("rejections", sa.column("user_id"), sa.column("position"), sa.column("parts"))
    whole = sa.and_(r.c.user_id == "", r.c.position.is_(None))
    op.execute(r.update().where(whole).values(parts=WHOLE_AND_UNEXAMINED))


def _add_secrets() -> bytes:
    table = op.create_table(
        "secrets",
        sa.Column("name", NAME, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    key = secrets.token_bytes(SECRET_BYTES)
    signing = secrets.token_bytes(SECRET_BYTES)
    rows = [{"name": "user_hash", "value": key}, {"name": "signing", "value": signing}]
    op.bulk_insert(table, rows)
    return key


def _hash_with(key: bytes) -> None:
    connection = op.get_bind()

    def keyed(digest: str) -> str:
        return hmac.digest(key, bytes.fromhex(digest), "sha256").hex()

    for name, identity in (("tombstones", "user_hash"), ("erasures", "erasure_id")):
        table = sa.table(name, *map(sa.column, {"project_id", "user_hash", identity}))
        for row in connection.execute(sa.select(table)).mappings().all():
            this = sa.and_(
                table.c.project_id == row["project_id"], table.c[identity] == row[identity]
            )
            connection.execute(table.update().where(this).values(user_hash=keyed(row["user_hash"])))
    columns = ("project_id", "position", "change_id", "erased")
    changes = sa.table("changes", *map(sa.column, columns))
    erased = sa.select(changes).where(changes.c.erased.is_not(None))
    for row in connection.execute(erased).mappings().all():
        this = sa.and_(*(changes.c[name] == row[name] for name in columns[:3]))
        digests = json.dumps([keyed(digest) for digest in json.loads(row["erased"])])
        connection.execute(
            changes.update().where(this).values(erased=digests.replace(" ", "").encode())
        )

"""Distribution of the tables on PostgreSQL with Citus: data by user, other tables on every node.

All rows of a user are on one node, and statements about one user run on that node. Rows that are
found by an id of their own (an upload, the name of an image, a request) are distributed by that id.
Small tables that every node needs are replicated to all nodes.
"""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, text

from uptake.store.base import StoreUnusable

BY_USER = (
    "users",
    "sample_batches",
    "sample_blocks",
    "documents",
    "images",
    "rejections",
    "receipt_blocks",
)
"""Distributed by `user_id`, so that rows of a user are on one node."""

BY_ID = {"uploads": "upload_id", "image_names": "name", "receipts": "request_id"}
"""Distributed by the id that they are found by."""

LOCAL = ("changes",)
"""Not distributed: the numbers of transactions are those of the coordinator."""

_PRESENT = text("SELECT extversion FROM pg_extension WHERE extname = 'citus'")
_PLACED = text("SELECT logicalrelid::regclass::text FROM pg_dist_partition")


def statements(tables: Collection[str], placed: Collection[str]) -> Iterator[tuple[str, str]]:
    """What has still to be done: the name of each table, and the statement that places it.

    Args:
        tables: all that there are.
        placed: those that lie in their place already.
    """
    together = "none"
    for name in BY_USER:
        if name not in placed:
            yield name, _distributed(name, "user_id", together)
        together = BY_USER[0]
    for name, column in BY_ID.items():
        if name not in placed:
            yield name, _distributed(name, column, "none")
    for name in sorted(set(tables) - {*BY_USER, *BY_ID, *LOCAL, *placed}):
        yield name, f"SELECT create_reference_table('{name}')"


def _distributed(name: str, column: str, together: str) -> str:
    return f"SELECT create_distributed_table('{name}', '{column}', colocate_with => '{together}')"


def distribute(connection: Connection, tables: Collection[str]) -> Iterator[tuple[str, str]]:
    """Place those tables that are not placed yet; each with its statement, once that is done.

    Raises:
        StoreUnusable: the database has no Citus.
    """
    if connection.scalar(_PRESENT) is None:
        raise StoreUnusable(
            "the database lacks the extension citus; CREATE EXTENSION citus adds it where it is"
            " installed"
        )
    placed = set(connection.scalars(_PLACED))
    for name, statement in statements(tables, placed):
        connection.execute(text(statement))
        yield name, statement

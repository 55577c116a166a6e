"""Rows of blocks: decoded, written, and taken out of."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from uptake.samples.blocks import (
    DIRECTORY,
    Block,
    from_batches,
    from_stored,
    read_directory,
    write_directory,
)
from uptake.samples.columns import DIGEST_BYTES, Columns, latest
from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.database import Row, batches_of, delete_all, update_all
from uptake.store.stored import StoredBatch

Owner = dict[str, str]
"""The project, user and metric of batches."""

BLOCK = [t.sample_blocks.c[name] for name in StoredBatch.__struct_fields__]
BATCH = [t.sample_batches.c[column.name] for column in BLOCK if column.name in t.sample_batches.c]


def block_of_batches(rows: Sequence[Any]) -> Block:
    """Decode rows of `sample_batches`."""
    return from_batches(
        [row.digest for row in rows],
        [[getattr(row, name) for name in DIRECTORY] for row in rows],
        [row.columns for row in rows],
    )


def block_of(row: Any) -> Block:
    """Decode a row of `sample_blocks`."""
    return from_stored(row.digests, row.directory, row.columns)


def stored_of(block: Block, user_id: str, metric: Metric) -> StoredBatch:
    """Return a block as it is read."""
    row = row_of({"user_id": user_id, "metric": metric}, block)
    return StoredBatch(**{name: row[name] for name in StoredBatch.__struct_fields__})


def row_of(owner: Owner, block: Block) -> Row:
    """Return the row of a block, without its mark."""
    block = block.in_order()
    start = block.columns.start
    return {
        **owner,
        "until": block.until,
        "sequence": int(block.sequence.max()),
        "first": int(start.min()),
        "last": int(start.max()),
        "count": len(start),
        "samples": len(latest(_as_received(block))),
        "received_at": int(block.received_at.min()),
        "digests": block.digests.tobytes(),
        "directory": block.to_directory(),
        "columns": block.to_columns(),
    }


def _as_received(block: Block) -> Columns:
    sequence = np.repeat(block.sequence, block.count)
    return block.columns.take(np.argsort(sequence, kind="stable"))


def add(connection: Connection, owner: Owner, mark: Any, block: Block) -> int:
    """Insert the row of a block. Returns the bytes of its samples, digests and directory."""
    row = row_of(owner, block)
    connection.execute(insert(t.sample_blocks).values(**row, mark=mark))
    return sum(len(row[name]) for name in ("digests", "directory", "columns"))


def remove(connection: Connection, owner: Owner, row: Any) -> bool:
    """Delete the row of a block; False if it has changed since it was read."""
    c = t.sample_blocks.c
    same = [*_key_of(owner, row), c.count == row.count, c.mark == row.mark]
    return delete_all(connection, t.sample_blocks, *same) > 0


def take_out(
    connection: Connection, owner: Owner, row: Any, which: "np.ndarray[Any, np.dtype[np.bool_]]"
) -> Block:
    """Remove batches from a block. Returns them.

    Args:
        connection: in a transaction that writes, and has locked the user.
        owner: of the block.
        row: all of it, read in the transaction.
        which: of its batches.
    """
    block = block_of(row)
    remove(connection, owner, row)
    if not which.all():
        # The mark stays: the others were all committed before it.
        add(connection, owner, row.mark, block.take(~which))
    return block.take(which)


def receive_again(
    connection: Connection, owner: Owner, row: Any, digests: Collection[bytes]
) -> list[bytes]:
    """Make batches of a block those that were received last; their new rows are deleted.

    Args:
        connection: in a transaction that writes, and has locked the user.
        owner: of the block.
        row: all of it, read in the transaction.
        digests: of batches, of which the transaction has inserted the rows.

    Returns:
        The digests of those that are in the block.
    """
    places = {digest: _place(row.digests, digest) for digest in digests}
    found = [digest for digest, place in places.items() if place is not None]
    if not found:
        return []
    numbers, mark = read_directory(row.directory), row.mark
    for some in batches_of(found):
        b = t.sample_batches.c
        same = [*(b[name] == value for name, value in owner.items()), b.digest.in_(some)]
        query = select(b.digest, *(b[name] for name in DIRECTORY)).where(*same)
        for digest, *values in connection.execute(query):
            before = int(numbers[-1, places[digest]])
            numbers[:, places[digest]] = values
            numbers[-1, places[digest]] += before + 1
            mark = values[2]
        delete_all(connection, t.sample_batches, *same)
    changed: Row = {
        "sequence": int(numbers[1].max()),
        "mark": mark,
        "received_at": int(numbers[3].min()),
        "directory": write_directory(numbers),
    }
    update_all(connection, t.sample_blocks, _key_of(owner, row), changed)
    return found


def _place(digests: bytes, digest: bytes) -> int | None:
    """The place of a batch in a block; None if it is not there."""
    at = digests.find(digest)
    while at % DIGEST_BYTES and at != -1:
        at = digests.find(digest, at + 1)
    return None if at == -1 else at // DIGEST_BYTES


def _key_of(owner: Owner, row: Any) -> list[Any]:
    key = owner | {"until": row.until, "sequence": row.sequence}
    return [t.sample_blocks.c[name] == value for name, value in key.items()]


def lock_users(connection: Connection, project: str, user_ids: Iterable[str]) -> None:
    """Lock users as those lock them who write to them; in one order, so that none deadlock."""
    u = t.users.c
    for user_id in sorted(user_ids):
        query = select(u.revision).filter_by(project_id=project, user_id=user_id)
        connection.execute(query.with_for_update())


def rows_of(connection: Connection, owner: Owner, *conditions: Any) -> Sequence[Any]:
    """Return rows of blocks that meet conditions."""
    query = select(t.sample_blocks).filter_by(**owner).where(*conditions)
    return connection.execute(query.order_by(t.sample_blocks.c.sequence)).all()

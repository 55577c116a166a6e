"""Folding: small batches of a user and metric become blocks, and small blocks larger ones.

Blocks of about the same size are neighbours in time when they are folded together, `FANOUT` at a
time, as a log-structured merge tree does. So a sample is written a bounded number of times: once as
it arrives, once into its first block, and once for each level above, of which each has `FANOUT`
times the samples of the one below.

A fold reads without a lock. Then, in one transaction, it deletes what it read and inserts the
block; if a row has changed, the transaction is rolled back and the user's turn comes again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from uptake.samples.blocks import Block, joined
from uptake.samples.columns import DIGEST_BYTES
from uptake.store import tables as t
from uptake.store.commit_sequence import NUMBER_BITS, CommitSequence, last_numbers
from uptake.store.database import batches_of
from uptake.store.erasures import SqlErasures
from uptake.store.sample_blocks import (
    Owner,
    add,
    block_of,
    block_of_batches,
    lock_users,
    remove,
    rows_of,
)
from uptake.store.stored import Folded

SMALL_SAMPLES = 512
"""Most samples of a small batch. Larger ones are read as fast as they are."""

BLOCK_SAMPLES = 8192
"""Most samples of a block: a page and a week read few others with theirs."""

FANOUT = 4
"""Blocks of one level that are folded together."""

ROWS_AT_ONCE = 4096
"""Batches looked through at a time; progress is stored after them."""

MOST_BATCHES = 65_536
"""Small batches of a user and metric folded in one turn: their keys are in memory."""


class Changed(Exception):
    """A row has changed since it was read; the transaction must be rolled back."""


@dataclass(frozen=True, slots=True)
class Node:
    """What becomes one block.

    Attributes:
        first: the start of its first sample.
        count: its samples.
        batches: digests and sequences of its small batches.
        blocks: rows of its blocks.
    """

    first: int
    count: int
    batches: list[tuple[bytes, int]] = field(default_factory=list)
    blocks: list[Any] = field(default_factory=list)

    @property
    def level(self) -> int:
        """The level of its size."""
        return (self.count.bit_length() - 1) // (FANOUT.bit_length() - 1)

    @property
    def is_full(self) -> bool:
        """Whether it remains as it is."""
        return self.count > BLOCK_SAMPLES // 2

    @property
    def is_unchanged(self) -> bool:
        """Whether it is a block that is stored."""
        return not self.batches and len(self.blocks) == 1


def plan(batches: Sequence[Any], blocks: Iterable[Any]) -> list[Node]:
    """Return what to write.

    Args:
        batches: the small batches: `digest`, `sequence`, `first` and `count`.
        blocks: all blocks: `first` and `count`.
    """
    nodes = [Node(row.first, row.count, blocks=[row]) for row in blocks]
    for row in sorted(batches, key=lambda row: (row.first, row.sequence)):
        last = nodes[-1] if nodes else None
        if last is None or not last.batches or last.count + row.count > BLOCK_SAMPLES:
            last = Node(row.first, 0)
            nodes.append(last)
        last.batches.append((row.digest, row.sequence))
        nodes[-1] = Node(last.first, last.count + row.count, last.batches)
    done: list[Node] = []
    for node in sorted(nodes, key=lambda node: node.first):
        done.append(node)
        while (run := _run(done)) >= FANOUT:
            done[-run:] = [_joined(done[-run:])]
    return [node for node in done if not node.is_unchanged]


def _run(nodes: Sequence[Node]) -> int:
    """The number of last nodes that can be folded into one."""
    count = samples = 0
    for node in reversed(nodes):
        samples += node.count
        if node.is_full or node.level > nodes[-1].level or samples > BLOCK_SAMPLES:
            break
        count += 1
    return count


def _joined(nodes: Sequence[Node]) -> Node:
    return Node(
        nodes[0].first,
        sum(node.count for node in nodes),
        [batch for node in nodes for batch in node.batches],
        [block for node in nodes for block in node.blocks],
    )


class SqlFolding(SqlErasures):
    """The port `Folding`, on SQL."""

    def fold(self, project: str, least: int, until: Callable[[], bool]) -> Folded:
        """See `Folding.fold`."""
        total = Folded()
        with self.reading() as connection:
            before = select(t.folded.c.lane, t.folded.c.number).filter_by(project_id=project)
            until_now: CommitSequence = last_numbers(connection)
            done: CommitSequence = {row.lane: row.number for row in connection.execute(before)}
        for slot, number in until_now.items():
            after = done.get(slot, 0)
            while after < number:
                owners, after = self._candidates(project, slot, after, number, least)
                for owner in owners:
                    if until():
                        return _sum(total, Folded(complete=False))
                    total = _sum(total, self._fold_all(owner, least))
                self._store_progress(project, slot, after)
        return total

    def _candidates(
        self, project: str, slot: int, after: int, number: int, least: int
    ) -> tuple[list[Owner], int]:
        """The owners of small batches, and the number up to which they were looked for."""
        b = t.sample_batches.c
        low, high = ((slot << NUMBER_BITS) + one for one in (after, number))
        small = (
            select(b.user_id, b.metric, b.mark)
            .where(b.project_id == project, b.mark > low, b.mark <= high)
            .order_by(b.mark)
            .limit(ROWS_AT_ONCE)
            .subquery()
        )
        with self.reading() as connection:
            seen = connection.execute(
                select(small.c.user_id, small.c.metric).group_by(small.c.user_id, small.c.metric)
            ).all()
            last, rows = connection.execute(select(func.max(small.c.mark), func.count())).one()
            users = sorted({user_id for user_id, _ in seen})
            found = {
                (user_id, metric)
                for some in batches_of(users)
                for user_id, metric in connection.execute(
                    select(b.user_id, b.metric)
                    .where(b.project_id == project, b.user_id.in_(some))
                    .where(b.count <= SMALL_SAMPLES)
                    .group_by(b.user_id, b.metric)
                    .having(func.count() >= least)
                )
            }
        owners = [
            {"project_id": project, "user_id": user_id, "metric": metric}
            for user_id, metric in seen
            if (user_id, metric) in found
        ]
        # The batches of one commit have the same mark: all of its users may not be looked at yet.
        complete = rows < ROWS_AT_ONCE
        return owners, number if complete else max(last - 1 - (slot << NUMBER_BITS), after + 1)

    def _store_progress(self, project: str, slot: int, number: int) -> None:
        insert = self.insert(t.folded).values(project_id=project, lane=slot, number=number)
        upsert = insert.on_conflict_do_update(
            index_elements=["project_id", "lane"], set_={"number": number}
        )
        with self.writing() as connection:
            connection.execute(upsert)

    def _fold_all(self, owner: Owner, least: int) -> Folded:
        """Fold the small batches of a user and metric."""
        b, blocks = t.sample_batches.c, t.sample_blocks.c
        small = (
            select(b.digest, b.sequence, b.first, b.count)
            .filter_by(**owner)
            .where(b.count <= SMALL_SAMPLES, func.length(b.digest) == DIGEST_BYTES)
            .limit(MOST_BATCHES)
        )
        stored = select(
            blocks.until, blocks.sequence, blocks.first, blocks.count, blocks.mark
        ).filter_by(**owner)
        with self.reading() as connection:
            batches = connection.execute(small).all()
            if len(batches) < least:
                return Folded()
            nodes = plan(batches, connection.execute(stored).all())
        total = Folded()
        for node in nodes:
            try:
                total = _sum(total, self._fold_node(owner, node))
            except Changed:
                continue
            except ValueError:
                total = _sum(total, Folded(unreadable=1))
        return total

    def _fold_node(self, owner: Owner, node: Node) -> Folded:
        with self.reading() as connection:
            block = joined(list(_read(connection, owner, node)))
        with self.writing() as connection:
            writer = self.writer(connection)
            # An erasure waits until the block is there, and deletes it.
            self.tombstone_changes(writer, {owner["project_id"]})
            writer.take_commit_number()
            writer.flush()
            lock_users(connection, owner["project_id"], [owner["user_id"]])
            if not all(remove(connection, owner, row) for row in node.blocks):
                raise Changed
            for some in batches_of(node.batches):
                removed = delete(t.sample_batches).filter_by(**owner).where(*_these(some))
                if connection.execute(removed).rowcount != len(some):
                    raise Changed
            size = add(connection, owner, writer.commit_number, block)
            _store_end(connection, owner)
        return Folded(len(node.batches), 1, size)


def _store_end(connection: Connection, owner: Owner) -> None:
    """Store the end of a user's blocks in the user's row."""
    user = {name: owner[name] for name in ("project_id", "user_id")}
    end = connection.scalar(select(func.max(t.sample_blocks.c.until)).filter_by(**user))
    connection.execute(update(t.users).filter_by(**user).values(folded_until=end))


def _read(connection: Connection, owner: Owner, node: Node) -> Iterable[Block]:
    """Read the batches and blocks of a node."""
    found = 0
    for some in batches_of(node.batches):
        query = select(t.sample_batches).filter_by(**owner).where(*_these(some))
        rows = connection.execute(query).all()
        found += len(rows)
        if rows:
            yield block_of_batches(rows)
    c = t.sample_blocks.c
    for block in node.blocks:
        for row in rows_of(connection, owner, c.until == block.until, c.sequence == block.sequence):
            found += 1
            yield block_of(row)
    if found != len(node.batches) + len(node.blocks):
        raise Changed


def _these(batches: Sequence[tuple[bytes, int]]) -> list[Any]:
    """The condition of batches that were not received again since they were read."""
    b = t.sample_batches.c
    return [
        b.digest.in_([digest for digest, _ in batches]),
        b.sequence.in_([sequence for _, sequence in batches]),
    ]


def _sum(one: Folded, other: Folded) -> Folded:
    return Folded(
        one.batches + other.batches,
        one.blocks + other.blocks,
        one.bytes + other.bytes,
        one.unreadable + other.unreadable,
        one.complete and other.complete,
    )

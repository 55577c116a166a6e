"""Deletes single records of users: documents, and samples by time.

A batch with samples that stay is written again, with the digest of these: the deleted samples can
be uploaded again, and the others are still recognised.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, and_, func, not_, select, tuple_

from uptake.samples.columns import Columns, digest, from_bytes, in_use, to_bytes
from uptake.samples.metrics import Metric
from uptake.store import tables as t
from uptake.store.audit import record
from uptake.store.changes import ChangeLog
from uptake.store.database import Row, delete_all, update_all
from uptake.store.erasures import SqlErasures
from uptake.store.sample_blocks import Owner, add, block_of, lock_users, remove
from uptake.store.stored import StoredDocument

_RECEIVED = ("sequence", "received_at", "mark")


class SqlDeletions(SqlErasures):
    """The port `Deletions`, on SQL."""

    def delete_document(self, project: str, document: StoredDocument) -> bool:
        """See `Deletions.delete_document`."""
        u, d = t.uploads.c, t.documents.c
        mine = d.user_id == document.user_id, d.upload_id == document.upload_id
        with self.writing() as connection:
            self._begin(connection, project)
            delete_all(
                connection, t.uploads, u.project_id == project, u.upload_id == document.upload_id
            )
            found = delete_all(connection, t.documents, d.project_id == project, *mine) > 0
            if found:
                self._changed(connection, project, document.user_id)
                record(connection, project, "document.delete", document.upload_id)
        return found

    def delete_samples(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> int:
        """See `Deletions.delete_samples`."""
        owner = {"project_id": project, "user_id": user_id, "metric": metric}
        count = 0
        # Batches before blocks: folding moves a batch into a block, and a block into one with a
        # greater key.
        for samples in (_Batches(owner, start, end), _Blocks(owner, start, end)):
            after: Sequence[Any] | None = ()
            while after is not None:
                with self.writing() as connection:
                    self._begin(connection, project)
                    lock_users(connection, project, [user_id])
                    found = samples.delete_whole(connection)
                    rows = samples.page(connection, after)
                    found += sum(samples.delete_part(connection, row) for row in rows)
                    if found:
                        self._changed(connection, project, user_id)
                        target = self.user_hash(user_id)
                        record(connection, project, "samples.delete", target, samples=found)
                count += found
                after = samples.key_of(rows[-1]) if len(rows) == samples.at_once else None
        return count

    def _begin(self, connection: Connection, project: str) -> None:
        """Have erasures wait: the log of changes must not name a user who was erased."""
        _ = self.tombstone_changes(self.writer(connection), {project}).rows

    def _changed(self, connection: Connection, project: str, user_id: str) -> None:
        ChangeLog().write(connection, self.writer(connection), {(project, user_id)})
        self.note_deletion()


@dataclass(frozen=True, slots=True)
class _Samples(ABC):
    """The samples in one table that belong to an owner and start in [start, end).

    Attributes:
        table: of batches or blocks.
        key: its columns after those of the owner.
        at_once: rows written again in one transaction, which takes about 0.1 s.
    """

    owner: Owner
    start: int
    end: int

    table: ClassVar[Table]
    key: ClassVar[tuple[str, ...]]
    at_once: ClassVar[int]

    @abstractmethod
    def delete_part(self, connection: Connection, row: Any) -> int:
        """Delete the samples of a row, which has others too. Returns their number."""

    def delete_whole(self, connection: Connection) -> int:
        """Delete the rows that have no other samples. Returns the number of samples."""
        c = self.table.c
        inside = [*self.own, c.first >= self.start, c.last < self.end]
        count = connection.scalar(select(func.sum(c["count"])).where(*inside))
        if count:
            delete_all(connection, self.table, *inside)
        return int(count or 0)

    def page(self, connection: Connection, after: Sequence[Any]) -> Sequence[Any]:
        """Return the next rows that may have samples to delete, and have others."""
        c, key = self.table.c, [self.table.c[name] for name in self.key]
        query = select(self.table).where(*self.own, c.first < self.end, c.last >= self.start)
        query = query.where(not_(and_(c.first >= self.start, c.last < self.end)))
        if after:
            query = query.where(tuple_(*key) > tuple_(*after))
        return connection.execute(query.order_by(*key).limit(self.at_once)).all()

    def key_of(self, row: Any) -> Sequence[Any]:
        """Return the key of a row."""
        return [getattr(row, name) for name in self.key]

    @property
    def own(self) -> list[Any]:
        """The condition of the owner's rows."""
        return [self.table.c[name] == value for name, value in self.owner.items()]

    def includes(self, columns: Columns) -> NDArray[np.bool_]:
        """Return which samples are to be deleted."""
        return (columns.start >= self.start) & (columns.start < self.end)


class _Blocks(_Samples):
    table = t.sample_blocks
    key = ("until", "sequence")
    at_once = 16

    def delete_part(self, connection: Connection, row: Any) -> int:
        block = block_of(row)
        gone = self.includes(block.columns)
        if gone.any():
            remove(connection, self.owner, row)
            # The mark stays: its batches were all committed before it.
            add(connection, self.owner, row.mark, block.without(gone))
        return int(gone.sum())


class _Batches(_Samples):
    table = t.sample_batches
    key = ("digest",)
    at_once = 64

    def delete_part(self, connection: Connection, row: Any) -> int:
        samples = from_bytes(row.columns)
        gone = self.includes(samples)
        if gone.any():
            self._replace(connection, row, in_use(samples.take(~gone)))
        return int(gone.sum())

    def _replace(self, connection: Connection, row: Any, left: Columns) -> None:
        """Replace the samples of a batch. Its place in the order received stays."""
        encoded = to_bytes(left)
        new = digest(encoded)
        c = self.table.c
        same = select(self.table).where(*self.own, c.digest == new)
        other = connection.execute(same).one_or_none()
        if other is None:
            first, last = int(left.start[0]), int(left.start[-1])
            values: Row = {"first": first, "last": last, "count": len(left)}
            values |= {"digest": new, "columns": encoded}
            update_all(connection, self.table, [*self.own, c.digest == row.digest], values)
            return
        # The user has a batch with these samples: the later of both was received again.
        delete_all(connection, self.table, *self.own, c.digest == row.digest)
        later = max(row, other, key=attrgetter("sequence"))
        values = {name: getattr(later, name) for name in _RECEIVED}
        values["repeats"] = row.repeats + other.repeats + 1
        update_all(connection, self.table, [*self.own, c.digest == new], values)

"""Snapshots of a project, read row by row in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, Table, select, tuple_, values

from uptake.samples.metrics import METRICS, Metric
from uptake.store import tables as t
from uptake.store.commit_sequence import is_received, last_numbers, received
from uptake.store.database import Database, batches_of, streamed, translated
from uptake.store.profiles import attributes_of
from uptake.store.rejections import rejection_of
from uptake.store.sample_blocks import BATCH, BLOCK, block_of, stored_of
from uptake.store.stored import Selection, StoredBatch, StoredDocument, StoredRejection, StoredUser

BATCHES_AT_ONCE = 128
"""Batches read at a time: those of 1000 samples are about 10 kB each."""

BLOCKS_AT_ONCE = 16
"""Blocks read at a time: about 50 kB each."""

LARGE_ROWS_AT_ONCE = 16
"""Documents and rejections read at a time; each may have megabytes."""

SMALL_ROWS_AT_ONCE = 1000
"""Users, and the keys of batches, read at a time."""


@dataclass(frozen=True, slots=True)
class _SampleRows:
    """A table of samples, what is read of it, its key after the project, and rows at a time."""

    table: Table
    columns: Sequence[ColumnElement[Any]]
    key: Sequence[ColumnElement[Any]]
    at_once: int


_BATCHES = _SampleRows(
    t.sample_batches,
    BATCH,
    [t.sample_batches.c[name] for name in ("user_id", "metric", "digest")],
    BATCHES_AT_ONCE,
)
_BLOCKS = _SampleRows(
    t.sample_blocks,
    [*BLOCK, t.sample_blocks.c.digests],
    [t.sample_blocks.c[name] for name in ("user_id", "metric", "until", "sequence")],
    BLOCKS_AT_ONCE,
)
_DOCUMENT = [t.documents.c[name] for name in StoredDocument.__struct_fields__]
_NAMES = msgspec.json.Decoder(list[str])
_VALUES = msgspec.json.Decoder(dict[str, str])


class SqlSnapshots(Database):
    """The port `Snapshots`, on SQL."""

    @contextmanager
    def snapshot(self, project: str) -> Iterator["SqlSnapshot"]:
        """See `Snapshots.snapshot`."""
        with self.reading() as connection:
            snapshot = SqlSnapshot(connection, project)
            self.begin_snapshot(connection)
            yield snapshot


class SqlSnapshot:
    """See `Snapshot`.

    Args:
        connection: in a transaction that sees one state of the data.
        project: its name.
    """

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self.commit_sequence = last_numbers(connection)

    def batches(self, metrics: Sequence[Metric], only: Selection) -> Iterator[StoredBatch]:
        """See `Snapshot.batches`."""
        for batches, blocks in zip(
            self._parts(t.sample_batches, only), self._parts(t.sample_blocks, only), strict=True
        ):
            rows = self._samples(_BATCHES, batches, metrics, only)
            folded = self._samples(_BLOCKS, blocks, metrics, only)
            yield from merge(
                (StoredBatch(*row) for row in rows),
                (block for row in folded if (block := self._selected(row, only)) is not None),
                key=attrgetter("user_id", "metric"),
            )

    def _samples(
        self,
        rows: "_SampleRows",
        part: Sequence[ColumnElement[bool]],
        metrics: Sequence[Metric],
        only: Selection,
    ) -> Iterator[Any]:
        c = rows.table.c
        conditions = [*part]
        if set(metrics) != set(METRICS):
            conditions.append(c.metric.in_(metrics))
        if only.start is not None:
            conditions.append(c.last >= only.start)
        if only.end is not None:
            conditions.append(c.first < only.end)
        order = c.user_id, c.metric
        if only.since is None:
            query = select(*rows.columns).where(*conditions).order_by(*order)
            yield from self._rows(query, rows.at_once)
            return
        # These must be sorted: sort only their keys, which take less memory.
        mine = c.project_id == self._project
        keys = self._rows(select(*rows.key).where(*conditions).order_by(*order), SMALL_ROWS_AT_ONCE)
        while some := [tuple(key) for key in islice(keys, rows.at_once)]:
            # As a subquery: SQLite uses the index for its rows, but not for a list of values.
            listed = values(*rows.key, name="wanted").data(some).cte()
            wanted = tuple_(*rows.key).in_(select(*listed.c))
            query = select(*rows.columns).where(mine, wanted).order_by(*order)
            yield from self._rows(query, rows.at_once)

    def _selected(self, row: Any, only: Selection) -> StoredBatch | None:
        """The selected batches of a block."""
        early = only.start is not None and row.first < only.start
        late = only.end is not None and row.last >= only.end
        if only.since is None and not early and not late:
            return StoredBatch(*(getattr(row, name) for name in StoredBatch.__struct_fields__))
        block = block_of(row)
        first, last = block.bounds()
        wanted = np.ones(len(block), bool)
        if only.since is not None:
            wanted &= is_received(block.mark, only.since, self.commit_sequence)
        if only.start is not None:
            wanted &= last >= only.start
        if only.end is not None:
            wanted &= first < only.end
        return stored_of(block.take(wanted), row.user_id, row.metric) if wanted.any() else None

    def users(self, only: Selection) -> Iterator[StoredUser]:
        """See `Snapshot.users`."""
        u, names = t.users.c, t.attribute_names.c.names
        for part in self._parts(t.users, only, u.last_seen):
            query = (
                select(u.user_id, u.attributes, names, u.first_seen, u.last_seen)
                .outerjoin_from(t.users, t.attribute_names, t.names_of_users)
                .where(*part)
                .order_by(u.user_id)
            )
            for row in self._rows(query, SMALL_ROWS_AT_ONCE):
                attributes = attributes_of(row.attributes, row.names)
                yield StoredUser(row.user_id, attributes, row.first_seen, row.last_seen)

    def attribute_names(self, only: Selection) -> list[str]:
        """See `Snapshot.attribute_names`."""
        u, names = t.users.c, t.attribute_names.c.names
        found: set[str] = set()
        for part in self._parts(t.users, only, u.last_seen):
            sets = select(names).join_from(t.users, t.attribute_names, t.names_of_users)
            for (listed,) in self._rows(sets.where(*part).distinct(), SMALL_ROWS_AT_ONCE):
                found.update(_NAMES.decode(listed))
            individual = u.names.is_(None), u.attributes.is_not(None)
            for (attributes,) in self._rows(
                select(u.attributes).where(*part, *individual), SMALL_ROWS_AT_ONCE
            ):
                found.update(_VALUES.decode(attributes))
        return sorted(found)

    def documents(
        self, type_name: str | None, only: Selection, after: tuple[str, str] = ("", "")
    ) -> Iterator[StoredDocument]:
        """See `Snapshot.documents`."""
        d = t.documents.c
        for part in self._parts(t.documents, only, d.received_at):
            query = select(*_DOCUMENT).where(*part)
            if type_name is not None:
                query = query.where(d.type == type_name)
            order = (d.user_id, d.upload_id) if only.since is None else (d.mark, d.upload_id)
            if only.since is None and after[0]:
                # The first follows from the second, and allows the use of an index.
                query = query.where(d.user_id >= after[0], tuple_(*order) > tuple_(*after))
            for row in self._rows(query.order_by(*order), LARGE_ROWS_AT_ONCE):
                yield StoredDocument(*row)

    def rejections(self, only: Selection) -> Iterator[StoredRejection]:
        """See `Snapshot.rejections`."""
        r = t.rejections.c
        for part in self._parts(t.rejections, only, r.received_at):
            order = (r.user_id, r.rejection_id) if only.since is None else (r.mark, r.rejection_id)
            query = select(t.rejections).where(*part).order_by(*order)
            for row in self._rows(query, LARGE_ROWS_AT_ONCE):
                yield rejection_of(row._asdict())

    def _parts(
        self, table: Table, only: Selection, moment: ColumnElement[int] | None = None
    ) -> Iterator[list[ColumnElement[bool]]]:
        """Yield the conditions of the queries that together read the selection in order."""
        conditions: list[ColumnElement[bool]] = [table.c.project_id == self._project]
        if only.since is not None:
            conditions.append(received(table.c.mark, only.since, self.commit_sequence))
        if moment is not None and only.start is not None:
            conditions.append(moment >= only.start)
        if moment is not None and only.end is not None:
            conditions.append(moment < only.end)
        if only.users is None:
            yield conditions
            return
        for some in batches_of(only.users):
            yield [*conditions, table.c.user_id.in_(some)]

    def _rows(self, query: Select[Any], at_once: int) -> Iterator[Any]:
        with translated():
            yield from streamed(self._connection, query, at_once)

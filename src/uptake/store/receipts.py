"""Receipts: rows as they are written, folded into blocks later, which take a tenth of the space."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, or_, select

from uptake.model.problems import Kinds
from uptake.store import receipt_blocks as blocks
from uptake.store import tables as t
from uptake.store.base import MAX_RECEIPTS
from uptake.store.database import Row, batches_of, check_count, streamed
from uptake.store.erasures import SqlErasures
from uptake.store.receipt_blocks import BLOCK_RECEIPTS, Place, Placed, day_of, placed_of
from uptake.store.request_pages import Folded
from uptake.store.request_queries import add_page
from uptake.store.stored import StoredReceipt

PAGE = 500
"""Receipts that are folded in one transaction, in about 25 ms, while uploads wait on SQLite. With
fewer rows, receipts wait for more to come, until their day has ended."""

FAN_OUT = 8
"""Blocks of about one size that are merged into one. So a receipt is written five times at most, as
8**4 is `BLOCK_RECEIPTS`, and about 30 blocks of a user and day are small."""

BLOCKS_AT_ONCE = 8
"""Blocks read at a time."""

_ROW_KEY = ("project_id", "request_id", "received_at", "place")
_BLOCK_KEY = ("project_id", "user_id", "day", "timed", "part")

_Run = dict[Place, Placed]
"""Receipts of different moments and places."""

_Block = tuple[str, int, bool]
"""User, day, and whether the ids have the time of the day."""


class _Part(NamedTuple):
    """A block of a user and day: its number among them, and the number of its receipts."""

    number: int
    size: int


class SqlReceipts(SqlErasures):
    """Reads and folds receipts."""

    def receipts(self, project: str, request_id: str) -> list[StoredReceipt]:
        """See `RejectionQueries.receipts`."""
        r = t.receipts.c
        query = (
            select(t.receipts)
            .filter_by(project_id=project, request_id=request_id)
            .order_by(r.received_at.desc(), r.place.desc())
            .limit(MAX_RECEIPTS)
        )
        with self.reading() as connection:
            # Rows before blocks: what is folded in between is in both, and returned once.
            rows = [placed_of(dict(row)) for row in connection.execute(query).mappings()]
            found = {(one.received_at, one.place): one for one in rows}
            for one in self._folded(connection, project, request_id):
                found.setdefault((one.received_at, one.place), one)
        return [found[key].receipt for key in sorted(found)[-MAX_RECEIPTS:]]

    def _folded(self, connection: Connection, project: str, request_id: str) -> Iterator[Placed]:
        """Yield the receipts in blocks with this id, at least the latest `MAX_RECEIPTS`."""
        b = t.receipt_blocks.c
        holds = "instr" if connection.dialect.name == "sqlite" else "position"
        position = getattr(func if holds == "instr" else func.pg_catalog, holds)
        other = position(b.ids, blocks.needle(request_id, timed=False)) > 0
        wanted = and_(b.timed == 0, other)
        if (day := blocks.day_of_id(request_id)) is not None:
            own = position(b.ids, blocks.needle(request_id, timed=True)) > 0
            wanted = or_(wanted, and_(b.timed == 1, b.day == day, own))
        query = (
            select(b.user_id, b.day, b.timed, b.ids, b.data)
            .where(b.project_id == project, wanted)
            .order_by(b.day.desc())
        )
        count, latest = 0, 0
        for user_id, on, timed, ids, data in streamed(connection, query, BLOCKS_AT_ONCE):
            if count >= MAX_RECEIPTS and on < latest:
                return
            latest = on
            for one in blocks.decode(user_id, ids, data, timed=bool(timed)):
                if one.receipt.request_id == request_id:
                    count += 1
                    yield one

    def fold_receipts(self, project: str, now: int) -> int:
        """See `Maintenance.fold_receipts`."""
        r = t.receipts.c
        alone = select(t.projects.c.name).filter_by(name=project).with_for_update()
        page = (
            select(t.receipts)
            .filter_by(project_id=project)
            # These expire after a few days.
            .where(r.code != Kinds.UNAUTHORIZED.value.code)
            .order_by(*(r[name] for name in _ROW_KEY))
            .limit(PAGE)
        )
        with self.writing() as connection:
            # No user can be erased until the transaction ends; the result is not needed.
            writer = self.writer(connection)
            _ = self.tombstone_changes(writer, {project}).rows
            connection.execute(alone)
            rows = [dict(row) for row in connection.execute(page).mappings()]
            ended = any(day_of(row["received_at"]) < day_of(now) for row in rows)
            if len(rows) < PAGE and not ended:
                return 0
            placed = [placed_of(row) for row in rows]
            add_page(connection, project, _fold(connection, project, placed), writer)
            keys = [[row[name] for name in _ROW_KEY] for row in rows]
            _delete_rows(connection, t.receipts, _ROW_KEY, keys)
        return len(rows)


def _fold(connection: Connection, project: str, rows: Sequence[Placed]) -> list[Folded]:
    """Add blocks of receipts, each merged with the last ones of its user and day if it is time."""
    new: dict[_Block, list[_Run]] = {}
    for one in rows:
        key = one.receipt.user_id, day_of(one.received_at), blocks.has_own_time(one.receipt)
        runs = new.setdefault(key, [])
        if not runs or one.key in runs[-1]:
            runs.append({})
        runs[-1][one.key] = one
    parts = _parts(connection, project, new)
    merged = {key: last for key in parts if (last := _due(parts[key], len(new[key][0])))}
    contents = _contents(connection, project, merged)
    added: list[Row] = []
    folded: list[Folded] = []
    for key, runs in new.items():
        user_id, day, timed = key
        row = {"project_id": project, "user_id": user_id, "day": day, "timed": int(timed)}
        for part, run in enumerate(runs, parts[key][-1].number + 1 if key in parts else 0):
            older = contents.pop(key, [])
            together = run | {one.key: one for one in older}
            if len(together) < len(run) + len(older):
                # These have receipts of the same moment and place, and stay blocks of their own.
                together, merged[key] = run, []
            some = [together[place] for place in sorted(together)]
            ids, data = blocks.encode(some, timed=timed)
            added.append(row | {"part": part, "count": len(some), "ids": ids, "data": data})
            folded += [Folded(one, timed, part) for one in run.values()]
    _delete_parts(connection, project, merged)
    connection.execute(t.receipt_blocks.insert(), added)
    return folded


def _due(parts: Sequence[_Part], size: int) -> Sequence[_Part]:
    """Return the last blocks that are merged with some new receipts into one.

    With these, they are `FAN_OUT` of one size, or smaller. The merged block is to the blocks before
    it what new receipts are to the last ones.
    """
    first, bound = len(parts), FAN_OUT
    while True:
        while bound <= size:
            bound *= FAN_OUT
        before = first
        while before and parts[before - 1].size < bound:
            before -= 1
            size += parts[before].size
        if first - before < FAN_OUT - 1 or size > BLOCK_RECEIPTS:
            return parts[first:]
        first = before


def _parts(
    connection: Connection, project: str, wanted: Collection[_Block]
) -> dict[_Block, list[_Part]]:
    """Return the blocks of these users and days, in order."""
    b = t.receipt_blocks.c
    days = [day for _, day, _ in wanted]
    found: dict[_Block, list[_Part]] = defaultdict(list)
    for some in batches_of(sorted({user_id for user_id, _, _ in wanted})):
        query = (
            select(b.user_id, b.day, b.timed, b.part, b["count"])
            .where(b.project_id == project, b.user_id.in_(some))
            .where(b.day.between(min(days), max(days)))
            .order_by(b.user_id, b.day, b.timed, b.part)
        )
        for user_id, day, timed, *part in connection.execute(query):
            if (key := (user_id, day, bool(timed))) in wanted:
                found[key].append(_Part(*part))
    return dict(found)


def _contents(
    connection: Connection, project: str, wanted: Mapping[_Block, Sequence[_Part]]
) -> dict[_Block, list[Placed]]:
    """Return the receipts of some last blocks."""
    b = t.receipt_blocks.c
    days = [day for _, day, _ in wanted]
    found: dict[_Block, list[Placed]] = defaultdict(list)
    users: dict[int, set[str]] = defaultdict(set)
    for (user_id, _, _), parts in wanted.items():
        users[parts[0].number].add(user_id)
    for first, named in users.items():
        for some in batches_of(sorted(named)):
            query = (
                select(b.user_id, b.day, b.timed, b.ids, b.data)
                .where(b.project_id == project, b.user_id.in_(some))
                .where(b.day.between(min(days), max(days)), b.part >= first)
            )
            for user_id, day, timed, *block in connection.execute(query):
                key = user_id, day, bool(timed)
                if key in wanted and wanted[key][0].number == first:
                    found[key] += blocks.decode(user_id, *block, timed=key[2])
    return found


def _delete_parts(
    connection: Connection, project: str, merged: Mapping[_Block, Sequence[_Part]]
) -> None:
    keys = [
        (project, user_id, day, int(timed), part.number)
        for (user_id, day, timed), parts in merged.items()
        for part in parts
    ]
    _delete_rows(connection, t.receipt_blocks, _BLOCK_KEY, keys)


def _delete_rows(
    connection: Connection, table: Table, key: Sequence[str], keys: Sequence[Sequence[Any]]
) -> None:
    """Delete rows by their keys.

    Raises:
        IncompleteWrite: one was not there.
    """
    if not keys:
        return
    these = [table.c[name] == bindparam(f"{name}_") for name in key]
    names = [f"{name}_" for name in key]
    rows = [dict(zip(names, values, strict=True)) for values in keys]
    deleted = connection.execute(delete(table).where(*these), rows)
    check_count(f"DELETE FROM {table.name}", deleted.rowcount, len(keys))  # noqa: S608 - a name

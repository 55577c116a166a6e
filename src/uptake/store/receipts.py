"""Receipts: rows as they are written, folded into blocks later, which take a tenth of the space."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, update

from uptake.model.problems import Kinds
from uptake.store import receipt_blocks as blocks
from uptake.store import tables as t
from uptake.store.base import MAX_RECEIPTS
from uptake.store.database import Row, batches_of, check_count, streamed
from uptake.store.erasures import SqlErasures
from uptake.store.receipt_blocks import BLOCK_RECEIPTS, Placed, day_of, placed_of
from uptake.store.request_pages import Folded
from uptake.store.request_queries import add_page
from uptake.store.stored import StoredReceipt

PAGE = 500
"""Receipts that are folded in one transaction, in about 20 ms, while uploads wait on SQLite. With
fewer rows, receipts wait for more to come, until their day has ended."""

BLOCKS_AT_ONCE = 8
"""Blocks read at a time."""

_ROW_KEY = ("project_id", "request_id", "received_at", "place")
_BLOCK_KEY = ("project_id", "user_id", "day", "timed", "part")

_Block = tuple[str, int, bool]
"""User, day, and whether the ids have the time of the day."""


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
            keys = [{f"{name}_": row[name] for name in _ROW_KEY} for row in rows]
            these = [r[name] == bindparam(f"{name}_") for name in _ROW_KEY]
            deleted = connection.execute(delete(t.receipts).where(*these), keys)
            check_count("DELETE FROM receipts", deleted.rowcount, len(rows))
        return len(rows)


def _fold(connection: Connection, project: str, rows: Sequence[Placed]) -> list[Folded]:
    """Add receipts to the last block of their user and day, and begin further blocks."""
    new: dict[_Block, list[Placed]] = defaultdict(list)
    for one in rows:
        receipt = one.receipt
        timed = blocks.has_own_time(receipt)
        new[receipt.user_id, day_of(one.received_at), timed].append(one)
    last = _last_blocks(connection, project, new)
    changed: list[Row] = []
    added: list[Row] = []
    folded: list[Folded] = []
    for (user_id, day, timed), receipts in new.items():
        part, ids, data = last.get((user_id, day, timed), (0, b"", b""))
        before = blocks.decode(user_id, ids, data, timed=timed) if ids else []
        key = {"project_id": project, "user_id": user_id, "day": day, "timed": int(timed)}
        left = receipts
        while left:
            taken, left = _fitting(before, left)
            if taken:
                some = sorted([*before, *taken], key=lambda one: one.key)
                new_ids, new_data = blocks.encode(some, timed=timed)
                row = key | {"part": part, "count": len(some), "ids": new_ids, "data": new_data}
                (changed if before else added).append(row)
                folded += [Folded(one, timed, part) for one in taken]
            before, part = [], part + 1
    b = t.receipt_blocks.c
    if changed:
        these = [b[name] == bindparam(f"{name}_") for name in _BLOCK_KEY]
        values: Row = {name: bindparam(f"{name}_") for name in ("count", "ids", "data")}
        statement = update(t.receipt_blocks).where(*these).values(values)
        connection.execute(statement, [{f"{k}_": v for k, v in row.items()} for row in changed])
    if added:
        connection.execute(t.receipt_blocks.insert(), added)
    return folded


def _fitting(
    before: Sequence[Placed], receipts: Sequence[Placed]
) -> tuple[list[Placed], list[Placed]]:
    """Divide receipts into those that fit into a block beside others, and the rest."""
    keys = {one.key for one in before}
    taken: list[Placed] = []
    left: list[Placed] = []
    for one in receipts:
        fits = len(keys) < BLOCK_RECEIPTS and one.key not in keys
        (taken if fits else left).append(one)
        if fits:
            keys.add(one.key)
    return taken, left


def _last_blocks(
    connection: Connection, project: str, wanted: dict[_Block, list[Placed]]
) -> dict[_Block, tuple[int, bytes, bytes]]:
    """Return the part, the ids and the data of the last block of each."""
    b, other = t.receipt_blocks.c, t.receipt_blocks.alias()
    same = [b[name] == other.c[name] for name in _BLOCK_KEY[:-1]]
    last = select(func.max(other.c.part)).where(*same).scalar_subquery()
    days = [day for _, day, _ in wanted]
    found: dict[_Block, tuple[int, bytes, bytes]] = {}
    for some in batches_of(sorted({user_id for user_id, _, _ in wanted})):
        query = (
            select(b.user_id, b.day, b.timed, b.part, b.ids, b.data)
            .where(b.project_id == project, b.user_id.in_(some))
            .where(b.day.between(min(days), max(days)), b.part == last)
        )
        for user_id, day, timed, *block in connection.execute(query):
            if (key := (user_id, day, bool(timed))) in wanted:
                found[key] = tuple(block)
    return found

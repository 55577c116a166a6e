"""Retention rules, and expired data, which is deleted page by page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, Table, func, select, tuple_

from uptake.store import tables as t
from uptake.store.audit import record
from uptake.store.changes import ChangeLog
from uptake.store.database import Row, delete_all, streamed
from uptake.store.definitions import RetentionRule
from uptake.store.erasures import SqlErasures
from uptake.store.request_tables import request_pages
from uptake.store.sample_blocks import block_of, lock_users, rows_of, take_out
from uptake.store.stored import Expired
from uptake.time_units import MICROSECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of data without samples: its table, its key after the project, its column of blobs."""

    table: Table
    key: tuple[str, ...]
    blob: str | None = None


_KINDS = {
    "documents": _Kind(t.documents, ("user_id", "upload_id")),
    "images": _Kind(t.images, ("user_id", "image_id"), "blob"),
    "rejections": _Kind(t.rejections, ("user_id", "rejection_id"), "raw_blob"),
    "receipts": _Kind(t.receipts, ("request_id", "received_at", "place")),
}

_TYPES = {
    "sample_batches": "metric",
    "sample_blocks": "metric",
    "documents": "type",
    "receipts": "code",
}
"""By table, the column with the type that a rule may name."""

_AFTER_ALL_RECEIPTS = ("~", 0, 0)
"""Where the next page starts when only blocks of receipts are left: ids are of ASCII letters."""

_BATCH_KEY = [t.sample_batches.c[name] for name in ("user_id", "metric", "digest")]
_BLOCK_KEY = [t.sample_blocks.c[name] for name in ("user_id", "metric", "until", "sequence")]

BLOCKS_AT_ONCE = 16
"""Blocks written again in one transaction: each takes a few milliseconds."""


class _Page(NamedTuple):
    """Rows of batches or blocks.

    Attributes:
        rows: the key of each without the project, and its count.
        next: the table and the key of the last row, after which the next page starts; () if there
            are no more.
    """

    rows: list[Row]
    next: tuple[Any, ...]

    @property
    def users(self) -> frozenset[str]:
        """The users of the rows."""
        return frozenset(row["user_id"] for row in self.rows)


class _Deleted(NamedTuple):
    """The number of samples that were deleted, their users, and `_Page.next`."""

    samples: int = 0
    users: frozenset[str] = frozenset()
    next: tuple[Any, ...] = ()


class SqlRetention(SqlErasures):
    """The port `Retention`, on SQL."""

    def put_retention(self, project: str, rules: Sequence[RetentionRule]) -> None:
        """See `Retention.put_retention`."""
        rows = [msgspec.structs.asdict(rule) | {"project_id": project} for rule in rules]
        # One transaction at a time: rows that another one inserts later would not be deleted.
        alone = select(t.projects.c.name).filter_by(name=project).with_for_update()
        with self.writing() as connection:
            connection.execute(alone)
            delete_all(connection, t.retention_rules, t.retention_rules.c.project_id == project)
            if rows:
                connection.execute(self.insert(t.retention_rules), rows)
            shown = [f"{rule.kind} {rule.type}".strip() + f" {rule.days}d" for rule in rules]
            record(connection, project, "retention.replace", rules=shown)

    def retention(self, project: str) -> list[RetentionRule]:
        """See `Retention.retention`."""
        rules = t.retention_rules.c
        query = select(rules.kind, rules.days, rules.type).filter_by(project_id=project)
        with self.reading() as connection:
            found = connection.execute(query.order_by(rules.kind, rules.type))
            return [RetentionRule(*row) for row in found]

    def count_expired(self, project: str, rule: RetentionRule, before: int) -> int:
        """See `Retention.count_expired`."""
        if rule.kind == "samples":
            return self._count_samples(project, rule, before)
        kind = _KINDS[rule.kind]
        due = _due(kind.table, project, rule, before)
        query = select(func.count()).select_from(kind.table).where(*due)
        with self.reading() as connection:
            found = int(connection.scalar(query) or 0)
            if rule.kind == "receipts" and not rule.type:
                folded = select(func.sum(t.receipt_blocks.c["count"])).where(
                    *_ended(project, before)
                )
                found += int(connection.scalar(folded) or 0)
        return found

    def expire(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> Expired:
        """See `Retention.expire`."""
        if rule.kind == "samples":
            return self._expire_samples(project, rule, before, after, limit)
        kind = _KINDS[rule.kind]
        with self.writing() as connection:
            due = _due(kind.table, project, rule, before)
            rows = _rows_after(connection, kind, due, after, limit)
            blobs = _unshared_blobs(connection, kind, project, rows)
            freed = sum(_delete(connection, kind, {"project_id": project, **row}) for row in rows)
            more = False
            if rule.kind == "receipts" and not rule.type and len(rows) < limit:
                receipts, more = _expire_blocks(connection, project, before, limit)
                freed += receipts
            if freed:
                self.note_deletion()
        last = tuple(rows[-1][name] for name in kind.key) if len(rows) == limit else ()
        return Expired(freed, blobs, _AFTER_ALL_RECEIPTS if more else last)

    def expired_blobs(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> tuple[str, ...]:
        """See `Retention.expired_blobs`."""
        if rule.kind == "samples" or not (kind := _KINDS[rule.kind]).blob:
            return ()
        with self.reading() as connection:
            due = _due(kind.table, project, rule, before)
            rows = _rows_after(connection, kind, due, after, limit)
            return _unshared_blobs(connection, kind, project, rows)

    def _count_samples(self, project: str, rule: RetentionRule, before: int) -> int:
        count = 0
        with self.reading() as connection:
            due = _due(t.sample_batches, project, rule, before)
            count += connection.scalar(select(func.sum(t.sample_batches.c.count)).where(*due)) or 0
            query = select(t.sample_blocks).where(*_due(t.sample_blocks, project, rule, before))
            for row in streamed(connection, query, BLOCKS_AT_ONCE):
                block = block_of(row)
                count += int(block.count[block.received_at < before].sum())
        return count

    def _expire_samples(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> Expired:
        """Delete a page of batches, and then of blocks: a batch may move into a block before."""
        table, *start = after or (t.sample_batches.name,)
        batches = blocks = _Deleted()
        with self.writing() as connection:
            # An erasure waits until a block is written again, and deletes it.
            self.tombstone_changes(self.writer(connection), {project})
            if table == t.sample_batches.name:
                due = _due(t.sample_batches, project, rule, before)
                batches = _expire_batches(connection, due, start, limit)
                start = []
            if not batches.next:
                due = _due(t.sample_blocks, project, rule, before)
                page = _page(connection, _BLOCK_KEY, due, start, min(limit, BLOCKS_AT_ONCE))
                blocks = _expire_sample_blocks(connection, project, page, before)
            if owners := {(project, user_id) for user_id in batches.users | blocks.users}:
                ChangeLog().write(connection, self.writer(connection), owners)
                self.note_deletion()
        return Expired(batches.samples + blocks.samples, (), batches.next or blocks.next)


def _expire_batches(
    connection: Connection, due: Sequence[Any], after: Sequence[Any], limit: int
) -> _Deleted:
    """Delete a page of batches that are due."""
    page = _page(connection, _BATCH_KEY, due, after, limit)
    count = 0
    for row in page.rows:
        same = [column == row[column.name] for column in _BATCH_KEY]
        # A batch that was folded at this moment is in a block.
        if delete_all(connection, t.sample_batches, *due, *same):
            count += row["count"]
    return _Deleted(count, page.users, page.next)


def _expire_sample_blocks(
    connection: Connection, project: str, page: _Page, before: int
) -> _Deleted:
    """Take the batches that are due out of a page of blocks."""
    lock_users(connection, project, page.users)
    count = sum(_expire_block(connection, project, row, before) for row in page.rows)
    return _Deleted(count, page.users, page.next)


def _ended(project: str, before: int) -> list[Any]:
    """Conditions of the blocks of receipts of days that ended before a moment."""
    b = t.receipt_blocks.c
    return [b.project_id == project, b.timed.in_((0, 1)), b.day < before // MICROSECONDS_PER_DAY]


def _expire_blocks(
    connection: Connection, project: str, before: int, limit: int
) -> tuple[int, bool]:
    """Delete blocks of receipts. Returns the number of receipts, and whether more are due."""
    # No block may be rewritten until the transaction ends.
    connection.execute(select(t.projects.c.name).filter_by(name=project).with_for_update())
    b = t.receipt_blocks.c
    key = [b.user_id, b.day, b.timed, b.part]
    page = select(*key, b["count"]).where(*_ended(project, before)).limit(limit)
    rows = connection.execute(page).all()
    for *values, _ in rows:
        these = [column == value for column, value in zip(key, values, strict=True)]
        delete_all(connection, t.receipt_blocks, b.project_id == project, *these)
    # Pages end later than the receipts of a day; they are counted as receipts already.
    p = request_pages.c
    start = before - before % MICROSECONDS_PER_DAY
    delete_all(connection, request_pages, p.project_id == project, p.last < start)
    return sum(row[-1] for row in rows), len(rows) == limit


def _page(
    connection: Connection,
    key: Sequence[Any],
    due: Sequence[Any],
    after: Sequence[Any],
    limit: int,
) -> _Page:
    """Return the first rows after a key that are due."""
    start = [tuple_(*key) > tuple_(*after)] if after else []
    table = key[0].table
    query = select(*key, table.c.count).where(*due, *start).order_by(*key).limit(limit)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    last = [rows[-1][column.name] for column in key] if len(rows) == limit else None
    return _Page(rows, () if last is None else (table.name, *last))


def _expire_block(connection: Connection, project: str, key: Row, before: int) -> int:
    """Delete the batches of a block that are due. Returns the number of their samples."""
    owner = {"project_id": project, "user_id": key["user_id"], "metric": key["metric"]}
    c = t.sample_blocks.c
    count = 0
    for row in rows_of(connection, owner, c.until == key["until"], c.sequence == key["sequence"]):
        due = block_of(row).received_at < before
        if due.any():
            count += int(take_out(connection, owner, row, due).count.sum())
    return count


def _due(table: Table, project: str, rule: RetentionRule, before: int) -> list[Any]:
    type_column = _TYPES.get(table.name)
    columns = table.c
    due: list[Any] = [columns.project_id == project, columns.received_at < before]
    if rule.type and rule.kind == "rejections":
        due.append(columns.user_id == "")
    elif rule.type and type_column is not None:
        due.append(columns[type_column] == rule.type)
    return due


def _delete(connection: Connection, kind: _Kind, row: dict[str, Any]) -> int:
    """Delete a row unless its blob has changed, and the rows that refer to it."""
    if kind.table is t.documents:
        upload = {"project_id": row["project_id"], "upload_id": row["upload_id"]}
        delete_all(connection, t.uploads, *_equal(t.uploads, upload))
    deleted = delete_all(connection, kind.table, *_equal(kind.table, row))
    if deleted and kind.table is t.images:
        key = {name: row[name] for name in ("project_id", *kind.key)}
        delete_all(connection, t.image_names, *_equal(t.image_names, key))
    return deleted


def _equal(table: Table, key: dict[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in key.items()]


def _rows_after(
    connection: Connection, kind: _Kind, due: list[Any], after: tuple[Any, ...], limit: int
) -> list[RowMapping]:
    """The first rows that are due after a key: their keys, and their blobs if there are any."""
    key = [kind.table.c[name] for name in kind.key]
    if after:
        due.append(tuple_(*key) > tuple_(*after))
    extra = [kind.table.c[kind.blob]] if kind.blob else []
    page = select(*key, *extra).where(*due).order_by(*key).limit(limit)
    return list(connection.execute(page).mappings())


def _unshared_blobs(
    connection: Connection, kind: _Kind, project: str, rows: Sequence[RowMapping]
) -> tuple[str, ...]:
    """The blobs of rows, without those that other rows refer to.

    Earlier versions stored equal bytes of a user once.
    """
    if kind.blob is None:
        return ()
    found = Counter((row["user_id"], row[kind.blob]) for row in rows if row[kind.blob])
    columns = kind.table.c
    unshared = []
    for (user_id, blob), count in found.items():
        same = (
            columns.project_id == project,
            columns.user_id == user_id,
            columns[kind.blob] == blob,
        )
        if connection.scalar(select(func.count()).where(*same)) == count:
            unshared.append(blob)
    return tuple(sorted(unshared))

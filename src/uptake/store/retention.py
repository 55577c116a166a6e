"""Retention rules, and expired data, which is deleted page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, exists, func, select, tuple_

from uptake.store import tables as t
from uptake.store.changes import ChangeLog
from uptake.store.database import WritingDatabase, delete_all
from uptake.store.definitions import RetentionRule
from uptake.store.stored import Expired
from uptake.time_units import MICROSECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of data: its table, its key after the project, its columns of count, type and blob."""

    table: Table
    key: tuple[str, ...]
    count: str | None = None
    type: str | None = None
    blob: str | None = None


_KINDS = {
    "samples": _Kind(t.sample_batches, ("user_id", "metric", "digest"), "count", "metric"),
    "documents": _Kind(t.documents, ("user_id", "upload_id"), type="type"),
    "images": _Kind(t.images, ("user_id", "image_id"), blob="blob"),
    "rejections": _Kind(t.rejections, ("user_id", "rejection_id"), blob="raw_blob"),
    "receipts": _Kind(t.receipts, ("request_id", "received_at", "place"), type="code"),
}


_AFTER_ALL_RECEIPTS = ("~", 0, 0)
"""Where the next page starts when only blocks of receipts are left: ids are of ASCII letters."""


class SqlRetention(WritingDatabase):
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

    def retention(self, project: str) -> list[RetentionRule]:
        """See `Retention.retention`."""
        rules = t.retention_rules.c
        query = select(rules.kind, rules.days, rules.type).filter_by(project_id=project)
        with self.reading() as connection:
            found = connection.execute(query.order_by(rules.kind, rules.type))
            return [RetentionRule(*row) for row in found]

    def count_expired(self, project: str, rule: RetentionRule, before: int) -> int:
        """See `Retention.count_expired`."""
        kind = _KINDS[rule.kind]
        count = func.count() if kind.count is None else func.sum(kind.table.c[kind.count])
        query = select(count).select_from(kind.table).where(*_due(project, rule, before))
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
        kind = _KINDS[rule.kind]
        key = [kind.table.c[name] for name in kind.key]
        due = _due(project, rule, before)
        if after:
            due.append(tuple_(*key) > tuple_(*after))
        extra = [kind.table.c[name] for name in (kind.count, kind.blob) if name is not None]
        page = select(*key, *extra).where(*due).order_by(*key).limit(limit)
        with self.writing() as connection:
            rows = [row._mapping for row in connection.execute(page)]  # noqa: SLF001 - its name
            for row in rows:
                _delete(
                    connection,
                    kind,
                    {"project_id": project} | {name: row[name] for name in kind.key},
                )
            if kind.table is t.sample_batches and rows:
                owners = {(project, str(row["user_id"])) for row in rows}
                ChangeLog().write(connection, self.writer(connection), owners)
            freed, more = 0, False
            if rule.kind == "receipts" and not rule.type and len(rows) < limit:
                freed, more = _expire_blocks(connection, project, before, limit)
            blobs = {row[kind.blob] for row in rows} - {None} if kind.blob else set()
            left = tuple(sorted(b for b in blobs if not _in_use(connection, kind, b)))
        count = sum(row[kind.count] for row in rows) if kind.count else len(rows)
        last = tuple(rows[-1][name] for name in kind.key) if len(rows) == limit else ()
        return Expired(count + freed, left, _AFTER_ALL_RECEIPTS if more else last)


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
    return sum(row[-1] for row in rows), len(rows) == limit


def _due(project: str, rule: RetentionRule, before: int) -> list[Any]:
    kind = _KINDS[rule.kind]
    columns = kind.table.c
    due: list[Any] = [columns.project_id == project, columns.received_at < before]
    if rule.type and rule.kind == "rejections":
        due.append(columns.user_id == "")
    elif rule.type and kind.type is not None:
        due.append(columns[kind.type] == rule.type)
    return due


def _delete(connection: Connection, kind: _Kind, key: dict[str, Any]) -> None:
    """Delete a row, and the rows that refer to it."""
    if kind.table is t.documents:
        upload = {"project_id": key["project_id"], "upload_id": key["upload_id"]}
        delete_all(connection, t.uploads, *_equal(t.uploads, upload))
    if kind.table is t.images:
        delete_all(connection, t.image_names, *_equal(t.image_names, key))
    delete_all(connection, kind.table, *_equal(kind.table, key))


def _equal(table: Table, key: dict[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in key.items()]


def _in_use(connection: Connection, kind: _Kind, blob: str) -> bool:
    """Whether another row of the same user refers to the blob."""
    column = kind.table.c[kind.blob or ""]
    return bool(connection.scalar(select(exists().where(column == blob))))

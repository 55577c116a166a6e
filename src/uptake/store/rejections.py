"""Queries for rejections, and how they are stored in rows."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import select

from uptake.model.shares import Part
from uptake.model.submission import Fault
from uptake.store import tables as t
from uptake.store.database import Database, batches_of, streamed
from uptake.store.records import RejectionRecord
from uptake.store.rejection_ports import MAX_SUMMARY_BYTES, RejectionSummary
from uptake.store.stored import (
    ALL_REJECTIONS,
    RejectionFilter,
    StoredRejection,
)

SUMMARIES_AT_ONCE = 1000
"""Rows in memory at a time, before their faults are decoded."""


class SqlRejectionQueries(Database):
    """The ports `RejectionQueries`, without receipts, and `RejectionSummaries`, on SQL."""

    def rejections(
        self, project: str, after: str, limit: int, only: RejectionFilter = ALL_REJECTIONS
    ) -> list[StoredRejection]:
        """See `RejectionQueries.rejections`."""
        r = t.rejections.c
        found = (
            select(r.rejection_id)
            .distinct()
            .filter_by(project_id=project)
            .where(r.rejection_id > after, *_conditions(only))
            .order_by(r.rejection_id)
            .limit(limit)
        )
        rows = select(t.rejections).filter_by(project_id=project)
        if only.user_id is not None:
            rows = rows.where(r.user_id == only.user_id)
        rows = rows.order_by(r.rejection_id, r.user_id)
        stored: list[StoredRejection] = []
        with self.reading() as connection:
            ids = list(connection.scalars(found))
            for some in batches_of(ids):
                found_rows = connection.execute(rows.where(r.rejection_id.in_(some)))
                stored += _rejections(found_rows.mappings())
        return stored

    def rejection(self, project: str, rejection_id: str) -> StoredRejection | None:
        """See `RejectionQueries.rejection`."""
        query = select(t.rejections).filter_by(project_id=project, rejection_id=rejection_id)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(t.rejections.c.user_id)).mappings()
            return next(_rejections(rows), None)

    def rejection_summaries(
        self, project: str, only: RejectionFilter, limit: int
    ) -> list[RejectionSummary]:
        """See `RejectionSummaries.rejection_summaries`."""
        r = t.rejections.c
        columns = r.rejection_id, r.format, r.faults, r.received_at, r.resolved_by.is_not(None)
        query = select(*columns).filter_by(project_id=project).where(*_conditions(only))
        query = query.order_by(r.rejection_id.desc()).limit(limit)
        decoded: dict[str, tuple[Fault, ...]] = {}
        found: list[RejectionSummary] = []
        left = MAX_SUMMARY_BYTES
        with self.reading() as connection:
            for rejection_id, format_, text, received_at, is_resolved in streamed(
                connection, query, SUMMARIES_AT_ONCE
            ):
                if text not in decoded:
                    left -= len(text)
                    if left < 0:
                        break
                    decoded[text] = msgspec.json.decode(text, type=tuple[Fault, ...])
                found.append(
                    RejectionSummary(
                        rejection_id, format_, decoded[text], received_at, bool(is_resolved)
                    )
                )
        return found


def _rejections(rows: Iterable[Any]) -> Iterator[StoredRejection]:
    """Build rejections from rows that are grouped by rejection."""
    for _, of_one in groupby(rows, itemgetter("rejection_id")):
        yield rejection_of(*map(dict, of_one))


def _conditions(only: RejectionFilter) -> Iterator[Any]:
    r = t.rejections.c
    for name in ("format", "key_id", "user_id", "request_id"):
        if (wanted := getattr(only, name)) is not None:
            yield r[name] == wanted
    if only.code is not None:
        # Codes are plain words, and quotes in messages are escaped.
        yield r.faults.contains(f'{{"code":"{only.code}"', autoescape=True)
    if only.since is not None:
        yield r.received_at >= only.since
    if only.until is not None:
        yield r.received_at < only.until
    if only.resolved is not None:
        yield r.resolved_by.is_not(None) if only.resolved else r.resolved_by.is_(None)


def rejection_of(row: dict[str, Any], *others: dict[str, Any]) -> StoredRejection:
    """Build a rejection from its rows, or from one of them."""
    record, *more = map(_rejection_record, (row, *others))
    return StoredRejection(
        record, row["request_id"], row["received_at"], row["resolved_by"], tuple(more)
    )


def _rejection_record(row: dict[str, Any]) -> RejectionRecord:
    values = {name: row[name] for name in RejectionRecord.__struct_fields__}
    values["faults"] = msgspec.json.decode(row["faults"], type=tuple[Fault, ...])
    values["context"] = msgspec.json.decode(row["context"], type=dict[str, str])
    if row["parts"] is not None:
        values["parts"] = msgspec.json.decode(row["parts"], type=tuple[Part, ...] | None)
    return RejectionRecord(**values)


def parts_text(parts: tuple[Part, ...] | None) -> str | None:
    """Encode the parts of a rejection as stored."""
    return None if parts is None else msgspec.json.encode(parts).decode()

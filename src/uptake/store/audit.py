"""The audit log: appended in the transaction of each change by an actor.

Each entry has the hash of the one before. The row with the head is locked until the transaction
ends, so entries of several nodes are one chain.
"""

from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    SmallInteger,
    Table,
    Text,
    insert,
    select,
    update,
)

from uptake.model import acting, clock
from uptake.model.acting import Act
from uptake.store.audit_ports import FIRST_HASH, AuditEntry, AuditFilter, AuditHead
from uptake.store.database import INSERTS, Database
from uptake.store.table_types import String, metadata

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("moment", BigInteger, nullable=False),
    Column("project_id", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("address", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
    Index("audit_by_project", "project_id", "sequence"),
)

# One row, from the first entry on.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)

_COLUMNS = [
    audit.c["project_id" if name == "project" else name] for name in AuditEntry.__struct_fields__
]
_HEAD = select(audit_head.c.sequence, audit_head.c.hash)
_ONLY = 1
"""The id of the row with the head."""


def record(
    connection: Connection,
    project: str,
    action: str,
    target: str = "",
    *,
    act: Act | None = None,
    **details: Any,
) -> None:
    """Append an entry to the log, if the thread works for an actor.

    Args:
        connection: in the transaction of the change, of which this is the last statement: others
            that append wait for its end.
        project: of what is changed; "" for all projects.
        action: what is done.
        target: to what; never the id of a user.
        act: who acts; by default, who acts in this thread.
        details: more, as JSON.
    """
    act = act or acting.current()
    if act is None:
        return
    text = msgspec.json.encode(details).decode()
    number, previous = _next(connection)
    who = act.actor, act.address
    entry = AuditEntry(number, clock.now(), project, *who, action, target, text, previous)
    entry = replace(entry, hash=entry.computed_hash())
    row = dict(zip((one.name for one in _COLUMNS), msgspec.structs.astuple(entry), strict=True))
    connection.execute(insert(audit).values(row))
    connection.execute(update(audit_head).values(hash=entry.hash))


def _next(connection: Connection) -> tuple[int, str]:
    """Take the next number, and lock the head. Returns the number, and the hash before."""
    c = audit_head.c
    first: Any = INSERTS[connection.dialect.name](audit_head)
    first = first.values(id=_ONLY, sequence=1, hash=FIRST_HASH)
    taken = first.on_conflict_do_update(
        index_elements=["id"], set_={"sequence": c.sequence + 1}
    ).returning(c.sequence, c.hash)
    number, previous = connection.execute(taken).one()
    return number, previous


class SqlAuditLog(Database):
    """The port `AuditLog`, on SQL."""

    def record_act(self, project: str, action: str, target: str = "", **details: Any) -> None:
        """See `AuditLog.record_act`."""
        if acting.current() is not None:
            with self.writing() as connection:
                record(connection, project, action, target, **details)

    def audit_entries(self, only: AuditFilter, before: int, limit: int) -> list[AuditEntry]:
        """See `AuditLog.audit_entries`."""
        c = audit.c
        query = select(*_COLUMNS).where(c.sequence < before)
        for column, value in (
            (c.project_id, only.project),
            (c.actor, only.actor),
            (c.action, only.action),
        ):
            if value is not None:
                query = query.where(column == value)
        if only.start is not None:
            query = query.where(c.moment >= only.start)
        if only.end is not None:
            query = query.where(c.moment < only.end)
        with self.reading() as connection:
            found = connection.execute(query.order_by(c.sequence.desc()).limit(limit))
            return [AuditEntry(*row) for row in found]

    def audit_chain(self, after: int, limit: int) -> list[AuditEntry]:
        """See `AuditLog.audit_chain`."""
        c = audit.c
        query = select(*_COLUMNS).where(c.sequence > after).order_by(c.sequence).limit(limit)
        with self.reading() as connection:
            return [AuditEntry(*row) for row in connection.execute(query)]

    def audit_head(self) -> AuditHead:
        """See `AuditLog.audit_head`."""
        with self.reading() as connection:
            row = connection.execute(_HEAD).one_or_none()
        return AuditHead(0, FIRST_HASH) if row is None else AuditHead(*row)

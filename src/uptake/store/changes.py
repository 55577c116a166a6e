"""The change log: which users were written. An index of users in memory follows the data by it.

It has one row for each transaction and project. Positions are in the order in which transactions
become visible: on engines with one writer a number that grows, on PostgreSQL the number of the
transaction. A reader continues below the first transaction that is still open, so it may read a row
twice (postgresql.org/docs/current/functions-info.html).

The log is bounded: the oldest rows are deleted, and the last of them becomes a marker. Rows that
are not recent are merged, so that a user is named once in many of them. A reader that continues in
the middle of merged rows reads users again that it has.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from uptake.model import clock, ids
from uptake.store import tables as t
from uptake.store.database import Database, Writer, batches_of, delete_all, update_all
from uptake.store.profiles import Owner
from uptake.store.stored import Change, Changes

LOG_BYTES = 32 * 1024 * 1024
"""Size of a project's log. A reader that is further behind reads all users, which is faster."""

PRUNE_BYTES = LOG_BYTES // 8
"""Bytes that a process adds to a log before it checks the size."""

MERGE_BYTES = 64 * 1024
"""Bytes that a process adds to a log before it merges rows, and that are recent: about 500 uploads.
Readers that are often asked do not read merged rows."""

MERGED_BYTES = LOG_BYTES // 8
"""Largest size of merged rows, which are decoded during a transaction."""

ROW_BYTES = 128
"""Approximate size of a row without the ids in it."""


class ChangeLog:
    """Writes the log."""

    def __init__(self) -> None:
        self._unmerged: dict[str, int] = defaultdict(int)
        self._unpruned: dict[str, int] = defaultdict(int)

    def write(self, connection: Connection, writer: Writer, owners: Collection[Owner]) -> None:
        """Add the users that a transaction wrote."""
        rows = [
            _row(project, msgspec.json.encode(user_ids), None)
            for project, user_ids in sorted(_of_projects(owners).items())
        ]
        writer.run("add_changes", rows)
        for row in rows:
            if _is_due(self._unmerged, row, MERGE_BYTES):
                _merge(connection, row["project_id"])
            if _is_due(self._unpruned, row, PRUNE_BYTES):
                _prune(connection, row["project_id"])

    def erase(
        self, connection: Connection, writer: Writer, project: str, user_id: str, user_hash: str
    ) -> None:
        """Remove a user's id from the log, and add that the user was erased."""
        c = t.changes.c
        query = select(c.position, c.change_id, c.users).filter_by(project_id=project)
        for position, change_id, users in connection.execute(query).all():
            named = [] if users is None else msgspec.json.decode(users, type=list[str])
            if user_id in named:
                left = msgspec.json.encode([name for name in named if name != user_id])
                this = and_(
                    c.project_id == project, c.position == position, c.change_id == change_id
                )
                connection.execute(update(t.changes).where(this).values(users=left))
        digests = msgspec.json.encode([user_hash])
        writer.run("add_changes", [_row(project, b"[]", digests)])


def _of_projects(owners: Collection[Owner]) -> dict[str, list[str]]:
    projects = {project for project, _ in owners}
    if len(projects) == 1:
        return {projects.pop(): [user_id for _, user_id in owners]}
    found: dict[str, list[str]] = {project: [] for project in projects}
    for project, user_id in owners:
        found[project].append(user_id)
    return found


def _row(project: str, users: bytes, erased: bytes | None) -> dict[str, Any]:
    return {
        "project_id": project,
        "change_id": ids.time_ordered(),
        "size": ROW_BYTES + len(users),
        "users": users,
        "erased": erased,
        "now": clock.now(),
    }


def _is_due(added: dict[str, int], row: dict[str, Any], limit: int) -> bool:
    """Add the size of a row to that of its project; true, and from zero again, at the limit."""
    project = row["project_id"]
    added[project] += row["size"]
    if added[project] < limit:
        return False
    added[project] = 0
    return True


def _merge(connection: Connection, project: str) -> None:
    """Merge rows into one, from the newest that is not recent to the first that is larger.

    So a row is merged again only when as much was added as it has: a few times in all.
    """
    c = t.changes.c
    # Rows that another transaction merges are left to it.
    log = select(c.change_id, c.position, c.size).filter_by(project_id=project)
    log = log.where(c.users.is_not(None)).with_for_update(skip_locked=True)
    recent = total = 0
    positions: dict[str, int] = {}
    for change_id, position, size in connection.execute(log.order_by(c.position.desc())):
        if recent < MERGE_BYTES:
            recent += size
        elif size > max(total, MERGE_BYTES) or total + size > MERGED_BYTES:
            break
        else:
            positions[change_id] = position
            total += size
    if len(positions) < 2:
        return
    users: dict[str, None] = {}
    erased: dict[str, None] = {}
    first, last = min(positions.values()), max(positions.values())
    for some in batches_of(list(positions)):
        these = c.project_id == project, c.position.between(first, last), c.change_id.in_(some)
        for change in connection.execute(select(c.change_id, c.users, c.erased).where(*these)):
            merged = _change(*change)
            users |= dict.fromkeys(merged.users)
            erased |= dict.fromkeys(merged.erased)
        delete_all(connection, t.changes, *these)
    row = _row(project, msgspec.json.encode(list(users)), msgspec.json.encode(list(erased)))
    del row["now"]
    connection.execute(insert(t.changes), [row | {"position": last}])


def _prune(connection: Connection, project: str) -> None:
    """Delete the oldest rows of a log that is too long."""
    c = t.changes.c
    total = func.sum(c.size).over(order_by=(c.position.desc(), c.change_id.desc()))
    from_newest = select(c.position, total.label("total")).filter_by(project_id=project).subquery()
    cut = connection.scalar(
        select(func.max(from_newest.c.position)).where(from_newest.c.total > LOG_BYTES)
    )
    if cut is None:
        return
    log = c.project_id == project
    connection.execute(delete(t.changes).where(log, c.position < cut))
    marker = {"users": None, "erased": None, "size": 0}
    # Another process may have deleted that row.
    update_all(connection, t.changes, [log, c.position == cut], marker)


class SqlChangeFeed(Database, ABC):
    """The port `ChangeFeed`, on SQL."""

    def changes(self, project: str, since: int | None) -> Changes | None:
        """See `ChangeFeed.changes`."""
        c = t.changes.c
        query = select(c.change_id, c.users, c.erased).filter_by(project_id=project)
        with self.reading() as connection:
            # Before the rows are read: a transaction that ends in between is read the next time.
            following = self.next_change(connection, project)
            rows = (
                [] if since is None else connection.execute(query.where(c.position >= since)).all()
            )
        if since is None or rows:
            self.settle()
        if since is None:
            return Changes(following, [])
        if following < since or any(row.users is None for row in rows):
            return None
        return Changes(following, [_change(*row) for row in rows])

    @abstractmethod
    def next_change(self, connection: Connection, project: str) -> int:
        """Return a position below which no change can be written any more."""


def _change(change_id: str, users: bytes, erased: bytes | None) -> Change:
    named = msgspec.json.decode(users, type=list[str])
    return Change(change_id, named, msgspec.json.decode(erased or b"[]", type=list[str]))

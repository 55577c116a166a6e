"""The log of whom something was kept about: what lets a picture in memory follow the data.

One row for each transaction and project. Its position says in which order transactions can be
seen: on engines with one writer a number that grows, on PostgreSQL the transaction's own, of which
a reader knows below which one all have ended (postgresql.org/docs/current/functions-info.html).
So a reader asks from there on again; a row that it knows already does no harm.

The log has an end: the oldest rows are forgotten, and the last of them stays as a mark.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    and_,
    delete,
    func,
    select,
    update,
)

from uptake.model import clock, ids
from uptake.store import tables as t
from uptake.store.database import Database, Writer, update_all
from uptake.store.stored import Change, Changes

LOG_BYTES = 32 * 1024 * 1024
"""Of a project. Whoever has not looked for longer reads its users anew, which then is faster."""

PRUNE_BYTES = LOG_BYTES // 8
"""So much does a process add to a log before it looks at how long that is."""

ROW_BYTES = 128
"""What a row takes beside the ids in it, about."""

Owner = tuple[str, str]
"""Project and user."""


class ChangeLog:
    """Writes the log."""

    def __init__(self) -> None:
        self._added: dict[str, int] = defaultdict(int)

    def write(self, connection: Connection, writer: Writer, owners: Collection[Owner]) -> None:
        """Note whom the transaction keeps something about; the last thing that it does."""
        rows = [
            _row(project, msgspec.json.encode(user_ids), None)
            for project, user_ids in sorted(_of_projects(owners).items())
        ]
        writer.run("add_changes", rows)
        for row in rows:
            self._added[row["project_id"]] += row["size"]
            if self._added[row["project_id"]] >= PRUNE_BYTES:
                self._added[row["project_id"]] = 0
                _prune(connection, row["project_id"])

    def erase(
        self, connection: Connection, writer: Writer, project: str, user_id: str, user_hash: str
    ) -> None:
        """Take a user's id out of the log, and note that the user is no more."""
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


def _prune(connection: Connection, project: str) -> None:
    """Forget what goes beyond the length of a log, oldest first."""
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
    mark = {"users": None, "erased": None, "size": 0}
    # Another process may have forgotten that row too.
    update_all(connection, t.changes, [log, c.position == cut], mark)


class SqlChangeFeed(Database):
    """The port `ChangeFeed`, on SQL."""

    def changes(self, project: str, since: int | None) -> Changes | None:
        """See `ChangeFeed.changes`."""
        c = t.changes.c
        query = select(c.change_id, c.users, c.erased).filter_by(project_id=project)
        with self.reading() as connection:
            # First of all: whatever ends while this goes on will be asked for the next time.
            following = self.next_change(connection, project)
            if since is None:
                return Changes(following, [])
            rows = connection.execute(query.where(c.position >= since)).all()
        if following < since or any(row.users is None for row in rows):
            return None
        return Changes(following, [_change(*row) for row in rows])

    def next_change(self, connection: Connection, project: str) -> int:
        """Return a position below which no change can be written any more."""
        raise NotImplementedError


def _change(change_id: str, users: bytes, erased: bytes | None) -> Change:
    named = msgspec.json.decode(users, type=list[str])
    return Change(change_id, named, msgspec.json.decode(erased or b"[]", type=list[str]))

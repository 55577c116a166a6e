"""Erasures of users, and the tombstones that prevent new data of erased users.

Each group of entries reads the rows of its projects in `tombstone_changes`, in a transaction during
which no user of these projects can be erased. From the row's number, a process knows whether it has
read all tombstones. With one writer this needs no lock; with many, groups share a lock that an
erasure takes exclusively.
"""

from abc import abstractmethod
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, func, select, update

from uptake.model.shares import TIED
from uptake.store import tables as t
from uptake.store.audit import record
from uptake.store.changes import ChangeLog
from uptake.store.database import Result, Writer, WritingDatabase, batches_of, delete_all
from uptake.store.events import add_events
from uptake.store.keys import delete_keys
from uptake.store.profiles import forget_names, names_of
from uptake.store.registry import SqlInstallation
from uptake.store.rejections import parts_text
from uptake.store.request_queries import delete_number
from uptake.store.stored import Erasure
from uptake.store.webhook_ports import USER_ERASED

_COUNTED: dict[str, Table] = {
    "documents": t.documents,
    "images": t.images,
    "rejections": t.rejections,
    "receipts": t.receipts,
}
_ERASURE = [t.erasures.c[name] for name in Erasure.__struct_fields__]


class SqlErasures(SqlInstallation, WritingDatabase):
    """The port `Erasures`, on SQL."""

    def erase(self, project: str, user_id: str, erasure_id: str, moment: int) -> Erasure:
        """See `Erasures.erase`."""
        user = {"project_id": project, "user_id": user_id}
        user_hash = self.user_hash(user_id)
        with self.writing() as connection:
            self._change(connection, project)
            counts = _delete_rows(connection, user)
            writer = self.writer(connection)
            ChangeLog().erase(connection, writer, project, user_id, user_hash)
            insert = self.insert(t.tombstones).values(
                project_id=project, user_hash=user_hash, erased_at=moment
            )
            # Another erasure of the same user leaves the tombstone as it is.
            unchanged = {"erased_at": t.tombstones.c.erased_at}
            key = ["project_id", "user_hash"]
            connection.execute(insert.on_conflict_do_update(index_elements=key, set_=unchanged))
            erasure = Erasure(erasure_id, user_hash, moment, counts)
            row = msgspec.structs.asdict(erasure) | {
                "project_id": project,
                "counts": msgspec.json.encode(counts).decode(),
            }
            connection.execute(self.insert(t.erasures), row)
            record(connection, project, "user.erase", user_hash, erasure_id=erasure_id)
            erased = {"user_id": user_id, "erasure_id": erasure_id}
            add_events(connection, project, USER_ERASED, [(user_id, erased)])
            self.note_deletion()
        return erasure

    @abstractmethod
    def tombstone_changes(self, writer: Writer, projects: Collection[str]) -> Result:
        """Read how often the tombstones of projects changed. They do not until the commit.

        Args:
            writer: of a transaction that has done nothing else yet.
            projects: names. The result has the names and numbers of those with tombstones.
        """

    def block_groups(self, connection: Connection, project: str) -> None:
        """Block groups of this project until the transaction ends; called first."""

    def _change(self, connection: Connection, project: str) -> None:
        self.block_groups(connection, project)
        insert = self.insert(t.tombstone_changes).values(project_id=project, number=1)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["project_id"], set_={"number": t.tombstone_changes.c.number + 1}
            )
        )

    def scrub(self, *, thorough: bool) -> None:
        """See `Erasures.scrub`; a database server manages its own files."""

    def readmit(self, project: str, user_id: str) -> bool:
        """See `Erasures.readmit`."""
        c = t.tombstones.c
        user_hash = self.user_hash(user_id)
        this = c.project_id == project, c.user_hash == user_hash
        with self.writing() as connection:
            self._change(connection, project)
            found = delete_all(connection, t.tombstones, *this) > 0
            if found:
                record(connection, project, "user.readmit", user_hash)
        return found

    def finish_erasure(self, project: str, erasure_id: str, moment: int) -> None:
        """See `Erasures.finish_erasure`."""
        key = {"project_id": project, "erasure_id": erasure_id}
        with self.writing() as connection:
            connection.execute(update(t.erasures).filter_by(**key).values(finished_at=moment))

    def erasure(self, project: str, erasure_id: str) -> Erasure | None:
        """See `Erasures.erasure`."""
        query = select(*_ERASURE).filter_by(project_id=project, erasure_id=erasure_id)
        with self.reading() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _erasure(dict(row))

    def erasures(self, project: str, after: str, limit: int) -> list[Erasure]:
        """See `Erasures.erasures`."""
        query = (
            select(*_ERASURE)
            .filter_by(project_id=project)
            .where(t.erasures.c.erasure_id > after)
            .order_by(t.erasures.c.erasure_id)
            .limit(limit)
        )
        with self.reading() as connection:
            return [_erasure(dict(row)) for row in connection.execute(query).mappings()]

    def unfinished_erasures(self) -> list[tuple[str, Erasure]]:
        """See `Erasures.unfinished_erasures`."""
        query = (
            select(t.erasures.c.project_id, *_ERASURE)
            .where(t.erasures.c.finished_at.is_(None))
            .order_by(t.erasures.c.erasure_id)
        )
        with self.reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [(row.pop("project_id"), _erasure(row)) for row in rows]


def _delete_rows(connection: Connection, user: dict[str, Any]) -> dict[str, int]:
    """Delete all rows of a user, and count them by kind."""
    project, user_id = user["project_id"], user["user_id"]

    def take(table: Table) -> int:
        c = table.c
        return delete_all(connection, table, c.project_id == project, c.user_id == user_id)

    folded = select(func.sum(t.receipt_blocks.c["count"])).filter_by(**user)
    counts = {"users": 0, "samples": 0}
    for table in (t.sample_batches, t.sample_blocks):
        samples = select(func.sum(table.c["count"])).filter_by(**user)
        counts["samples"] += int(connection.scalar(samples) or 0)
        take(table)
    uploads = select(t.documents.c.upload_id).filter_by(**user).scalar_subquery()
    mine = t.uploads.c.project_id == project, t.uploads.c.upload_id.in_(uploads)
    delete_all(connection, t.uploads, *mine)
    names = select(t.images.c.name).filter_by(**user).scalar_subquery()
    delete_all(connection, t.image_names, t.image_names.c.name.in_(names))
    attributes = names_of(connection, user)
    counts["users"] = take(t.users)
    if attributes:
        forget_names(connection, project, attributes)
    _delete_tied(connection, user)
    counts |= {name: take(table) for name, table in _COUNTED.items()}
    counts["keys"] = delete_keys(
        connection, t.keys.c.project_id == project, t.keys.c.user_id == user_id
    )
    counts["receipts"] += int(connection.scalar(folded) or 0)
    take(t.receipt_blocks)
    take(t.outbox)
    take(t.segment_members)
    delete_number(connection, project, user_id)
    return counts


def _delete_tied(connection: Connection, user: dict[str, Any]) -> None:
    """Delete the other users' records of rejected bodies that cannot be divided."""
    r = t.rejections.c
    tied = select(r.rejection_id).filter_by(**user).where(r.parts == parts_text(TIED))
    for some in batches_of(list(connection.scalars(tied))):
        others = r.project_id == user["project_id"], r.user_id != user["user_id"]
        delete_all(connection, t.rejections, *others, r.rejection_id.in_(some))


def _erasure(row: dict[str, Any]) -> Erasure:
    row["counts"] = msgspec.json.decode(row["counts"], type=dict[str, int])
    return Erasure(**row)

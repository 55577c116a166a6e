"""A group of entries in one transaction, a statement for all rows of a kind.

Everything that a user's row orders is written after that row, whose upsert locks it: on engines
with many writers, entries of one user wait for each other there, and those of others do not.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, bindparam, case, select

from uptake.model.items import Attributes
from uptake.store import tables as t
from uptake.store.base import FIRST_IMAGE_ID
from uptake.store.database import Bulk, Database
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    Record,
    RejectionRecord,
    Written,
    WrittenDocument,
    WrittenImage,
)

SEQUENCE_BITS = 16
"""A batch's sequence is its user's revision, then its place in the group in this many bits."""

NO_NAMES = ""
MAX_NAME_SETS = 1024
"""Sets of attribute names whose digests are remembered."""

Row = dict[str, Any]


_KEY = ("project_id", "user_id")
_SEEN = ("first_seen", "last_seen")
_BATCH = ("metric", "digest", "first", "last", "count", "columns")
_DOCUMENT = ("upload_id", "type", "data")


class Statements:
    """The statements of `write`, for a database."""

    def __init__(self, database: Database) -> None:
        insert, dialect = database.insert, database.engine.dialect
        self.claim_upload = insert(t.uploads).on_conflict_do_nothing()
        add_document = insert(t.documents).on_conflict_do_nothing()
        batch = (*_KEY, *_BATCH, "received_at", "of_project", "of_user", "place")
        self.touch_users = Bulk(_upsert_user(insert), (*_KEY, *_SEEN), dialect)
        self.set_attributes = Bulk(
            _upsert_attributes(insert), (*_KEY, *_SEEN, "names", "told"), dialect
        )
        self.add_batches = Bulk(_upsert_batch(insert), batch, dialect)
        self.add_uploads = Bulk(self.claim_upload, (*_KEY, "upload_id", "digest"), dialect)
        self.add_documents = Bulk(add_document, (*_KEY, *_DOCUMENT, "received_at"), dialect)
        self.add_rejections = Bulk(
            insert(t.rejections), [column.name for column in t.rejections.columns], dialect
        )
        self.next_image = (
            insert(t.image_numbers)
            .values(last=FIRST_IMAGE_ID)
            .on_conflict_do_update(
                index_elements=["project_id"], set_={"last": t.image_numbers.c.last + 1}
            )
            .returning(t.image_numbers.c.last)
        )
        self.add_image = insert(t.images)
        self.add_image_name = insert(t.image_names)


def _upsert_user(insert: Any) -> Any:
    statement = insert(t.users).values(revision=1, names=NO_NAMES, attributes="{}")
    return statement.on_conflict_do_update(
        index_elements=["project_id", "user_id"],
        set_=_touched(statement.excluded),
    )


def _upsert_attributes(insert: Any) -> Any:
    told_json = t.json_value(bindparam("told", type_=LargeBinary))
    statement = insert(t.users).values(revision=1, attributes=told_json)
    told, kept = statement.excluded, t.users.c
    merged = t.merge_json(kept.attributes, told.attributes)
    return statement.on_conflict_do_update(
        index_elements=["project_id", "user_id"],
        set_={
            **_touched(told),
            # The same names again, as in every nightly sync: nothing stays of what there was, and
            # there is no need to look for it, which takes as long as all the rest.
            "attributes": case((kept.names == told.names, told.attributes), else_=merged),
            "names": case((kept.names.in_((told.names, NO_NAMES)), told.names), else_=None),
        },
    )


def _touched(excluded: Any) -> dict[str, Any]:
    # Writers of one user may come in another order than that in which they received.
    first, last = t.users.c.first_seen, t.users.c.last_seen
    return {
        "revision": t.users.c.revision + 1,
        "first_seen": case((excluded.first_seen < first, excluded.first_seen), else_=first),
        "last_seen": case((excluded.last_seen > last, excluded.last_seen), else_=last),
    }


def _upsert_batch(insert: Any) -> Any:
    revision = (
        select(t.users.c.revision)
        .where(
            t.users.c.project_id == bindparam("of_project"),
            t.users.c.user_id == bindparam("of_user"),
        )
        .scalar_subquery()
    )
    statement = insert(t.sample_batches).values(
        sequence=revision * (1 << SEQUENCE_BITS) + bindparam("place")
    )
    return statement.on_conflict_do_update(
        index_elements=["project_id", "user_id", "metric", "digest"],
        set_={
            "sequence": statement.excluded.sequence,
            "received_at": statement.excluded.received_at,
        },
    )


class Group:
    """The rows of entries, by the statement that writes them; made before the transaction begins.

    Args:
        entries: in the order in which they are to be written.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.users: dict[tuple[str, str], Row] = {}
        self.attributes: list[Row] = []
        self.batches: list[Row] = []
        self.uploads: list[Row] = []
        self.documents: list[Row] = []
        self.rejections: list[Row] = []
        for entry in entries:
            for record in entry.records:
                self._add(entry, record)
            for rejection in entry.rejections:
                self.reject(entry, rejection)
        # In one order for every group, so that two writers never wait for each other.
        self.attributes.sort(key=itemgetter("project_id", "user_id"))

    def _add(self, entry: Entry, record: Record) -> None:
        if isinstance(record, Attributes):
            self.attributes.append(
                {
                    "project_id": entry.project,
                    "user_id": record.user_id,
                    "first_seen": entry.received_at,
                    "last_seen": entry.received_at,
                    "names": _names_digest(tuple(record.values)),
                    "told": msgspec.json.encode(record.values),
                }
            )
        elif isinstance(record, BatchRecord):
            row = self._touch(entry, record.user_id)
            row |= {name: getattr(record, name) for name in _BATCH}
            row |= {"of_project": entry.project, "of_user": record.user_id}
            row |= {"place": len(self.batches), "received_at": entry.received_at}
            self.batches.append(row)
        elif isinstance(record, ImageRecord):
            self._touch(entry, record.user_id)
        elif record.digest is None:
            key = {"project_id": entry.project, "user_id": record.user_id}
            self.uploads.append({**key, "upload_id": record.upload_id, "digest": None})
            self.add_document(entry, record)

    def _touch(self, entry: Entry, user_id: str) -> Row:
        key = {"project_id": entry.project, "user_id": user_id}
        seen = {"first_seen": entry.received_at, "last_seen": entry.received_at}
        user = self.users.setdefault((entry.project, user_id), {**key, **seen})
        user["first_seen"] = min(user["first_seen"], entry.received_at)
        user["last_seen"] = max(user["last_seen"], entry.received_at)
        return key

    def add_document(self, entry: Entry, record: DocumentRecord) -> None:
        """Have a document written whose upload id is claimed."""
        row = self._touch(entry, record.user_id)
        row |= {name: getattr(record, name) for name in _DOCUMENT}
        self.documents.append(row | {"received_at": entry.received_at})

    def reject(self, entry: Entry, rejection: RejectionRecord) -> None:
        """Have a refusal written."""
        row = msgspec.structs.asdict(rejection) | {
            "faults": msgspec.json.encode(rejection.faults).decode()
        }
        row |= {"project_id": entry.project, "request_id": entry.request_id}
        self.rejections.append(row | {"received_at": entry.received_at})


def write(
    connection: Connection, statements: Statements, group: Group
) -> list[tuple[Written, ...]]:
    """Write a group; what stands now for each record of its entries."""
    claimed = list(_claim_uploads(connection, statements, group))
    statements.touch_users.run(connection, [group.users[key] for key in sorted(group.users)])
    statements.set_attributes.run(connection, group.attributes)
    statements.add_batches.run(connection, group.batches)
    statements.add_uploads.run(connection, group.uploads)
    statements.add_documents.run(connection, group.documents)
    statements.add_rejections.run(connection, group.rejections)
    claims = iter(claimed)
    return [
        tuple(_written(connection, statements, entry, record, claims) for record in entry.records)
        for entry in group.entries
    ]


def _written(
    connection: Connection,
    statements: Statements,
    entry: Entry,
    record: Record,
    claims: Iterator[WrittenDocument],
) -> Written:
    if isinstance(record, DocumentRecord):
        return _NEW_DOCUMENT if record.digest is None else next(claims)
    if isinstance(record, ImageRecord):
        return _write_image(connection, statements, entry, record)
    return None


_NEW_DOCUMENT = WrittenDocument(None, new=True)


@lru_cache(MAX_NAME_SETS)
def _names_digest(names: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()[:16] if names else NO_NAMES


def _claim_uploads(
    connection: Connection, statements: Statements, group: Group
) -> Iterator[WrittenDocument]:
    """Claim the derived upload ids of a group, each for the document that comes first."""
    for entry in group.entries:
        for record in entry.records:
            if not isinstance(record, DocumentRecord) or record.digest is None:
                continue
            key = {"project_id": entry.project, "upload_id": record.upload_id}
            claim = {**key, "user_id": record.user_id, "digest": record.digest}
            if connection.execute(statements.claim_upload, claim).rowcount > 0:
                group.add_document(entry, record)
                yield WrittenDocument(record.digest, new=True)
                continue
            stands = connection.scalar(select(t.uploads.c.digest).filter_by(**key))
            if stands != record.digest and record.otherwise is not None:
                group.reject(entry, record.otherwise)
            yield WrittenDocument(stands, new=False)


def _write_image(
    connection: Connection, statements: Statements, entry: Entry, record: ImageRecord
) -> WrittenImage:
    key = {"project_id": entry.project, "user_id": record.user_id}
    same = select(t.images.c.image_id, t.images.c.name).filter_by(
        **key, upload_digest=record.upload_digest
    )
    found = connection.execute(same).one_or_none()
    if found is not None:
        return WrittenImage(found.image_id, found.name, new=False)
    number = connection.execute(statements.next_image, {"project_id": entry.project}).scalar_one()
    row = msgspec.structs.asdict(record) | key
    connection.execute(
        statements.add_image, row | {"image_id": number, "received_at": entry.received_at}
    )
    connection.execute(statements.add_image_name, {**key, "name": record.name, "image_id": number})
    return WrittenImage(number, record.name, new=True)

"""A group of entries in one transaction, a statement for all rows of a kind.

Everything that a user's row orders is written after that row, whose upsert locks it: on engines
with many writers, entries of one user wait for each other there, and those of others do not.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, literal_column, select

from uptake.model.items import Attributes
from uptake.store import tables as t
from uptake.store.attribute_admission import EVERYTHING, Admission
from uptake.store.changes import ChangeLog
from uptake.store.database import Database, Row, update_all
from uptake.store.images import ImageStatements
from uptake.store.marks import mark_of, next_number
from uptake.store.profiles import ProfileStatements, Told, touched
from uptake.store.receipts import receipt_of, receipt_row, stored_rejections
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    Erased,
    ImageRecord,
    Record,
    RejectionRecord,
    Unchanged,
    Written,
    WrittenDocument,
)
from uptake.store.sql_snapshot import parts_text
from uptake.store.stored import Committed

SEQUENCE_BITS = 16
"""A batch's sequence is its user's revision, then its place in the group in this many bits."""

_KEY = ("project_id", "user_id")
_SEEN = ("first_seen", "last_seen")
_BATCH = ("metric", "digest", "first", "last", "count", "columns")
_DOCUMENT = ("upload_id", "type", "version", "data")
_RECEIPT = tuple(column.name for column in t.receipts.columns)


class Statements:
    """The statements of `write`, for a database."""

    def __init__(self, database: Database) -> None:
        insert, bulk = database.insert, database.bulk
        self.many_writers = database.many_writers
        self.lane = database.lane
        self.settle = database.settle
        self.mark = mark = mark_of(database.lane)
        self.begin = bulk(next_number(insert), ("lane", "number"))
        add_document = insert(t.documents).values(mark=mark)
        claim = insert(t.uploads).on_conflict_do_nothing()
        batch = (*_KEY, *_BATCH, "received_at", "of_project", "of_user", "place")
        same_batch = (*_KEY, "metric", "digest")
        claim = claim.returning(t.uploads.c.project_id, t.uploads.c.upload_id)
        self.touch_users = bulk(_upsert_user(insert, mark), (*_KEY, *_SEEN))
        self.profiles = ProfileStatements(database)
        self.changes = ChangeLog(database)
        batches = t.sample_batches.c
        add_batch = _upsert_batch(insert, mark).returning(batches.sequence, batches.repeats)
        self.add_batches = bulk(add_batch, batch, same_batch)
        upload, document = (*_KEY, "upload_id", "digest"), (*_KEY, *_DOCUMENT, "received_at")
        self.claim_uploads = bulk(claim, upload, every=False)
        self.add_uploads = bulk(_or_as_it_is(insert(t.uploads), t.uploads), upload)
        self.add_documents = bulk(_or_as_it_is(add_document, t.documents), document)
        rejection = [column.name for column in t.rejections.columns if column.name != "mark"]
        self.add_rejections = bulk(insert(t.rejections).values(mark=mark), rejection)
        self.add_receipts = bulk(_or_as_it_is(insert(t.receipts), t.receipts), _RECEIPT)
        self.images = ImageStatements(database)


def _or_as_it_is(statement: Any, table: Table) -> Any:
    """An insert that leaves a row as it is whose key is taken, and counts it as written."""
    key = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(index_elements=key, set_={key[0]: table.c[key[0]]})


def _upsert_user(insert: Any, mark: Any) -> Any:
    statement = insert(t.users).values(revision=literal_column("1"), mark=mark)
    return statement.on_conflict_do_update(
        index_elements=["project_id", "user_id"], set_=touched(statement.excluded)
    )


def _upsert_batch(insert: Any, mark: Any) -> Any:
    revision = (
        select(t.users.c.revision)
        .where(
            t.users.c.project_id == bindparam("of_project"),
            t.users.c.user_id == bindparam("of_user"),
        )
        .scalar_subquery()
    )
    statement = insert(t.sample_batches).values(
        sequence=revision * (1 << SEQUENCE_BITS) + bindparam("place"),
        repeats=literal_column("0"),
        mark=mark,
    )
    return statement.on_conflict_do_update(
        index_elements=["project_id", "user_id", "metric", "digest"],
        set_={
            "sequence": statement.excluded.sequence,
            "received_at": statement.excluded.received_at,
            "repeats": t.sample_batches.c.repeats + literal_column("1"),
            "mark": statement.excluded.mark,
        },
    )


class Group:
    """The rows of entries, by the statement that writes them; made before the transaction begins.

    Args:
        entries: in the order in which they are to be written.
        erased: project and id of users of whom nothing is written.
        rejected: entries that are not written, by number, and the result to return for each.

    Attributes:
        to_tell: the records of which there is something to tell, each after the number of its
            entry and its place in it.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        erased: Collection[tuple[str, str]] = (),
        rejected: Mapping[int, tuple[Written, ...]] | None = None,
    ) -> None:
        self.entries = entries
        self.erased = erased
        self.rejected = rejected or {}
        self.users: dict[tuple[str, str], Row] = {}
        self.told = Told()
        self.batches: list[Row] = []
        self.uploads: list[Row] = []
        self.documents: list[Row] = []
        self.rejections: list[Row] = []
        self.to_tell: list[tuple[int, int, Record]] = []
        self.batch_places: list[tuple[int, int]] = []
        for number, entry in enumerate(entries):
            if number in self.rejected:
                continue
            for place, record in enumerate(entry.records):
                gone = self.is_erased(entry, record.user_id)
                if gone or isinstance(record, DocumentRecord | ImageRecord):
                    self.to_tell.append((number, place, record))
                if not gone:
                    self._add(entry, record, number, place)
            for rejection in stored_rejections(entry, erased):
                self.reject(entry, rejection)

    def _add(self, entry: Entry, record: Record, number: int, place: int) -> None:
        if isinstance(record, Attributes):
            self.told.tell(entry.project, record, entry.received_at)
        elif isinstance(record, BatchRecord):
            row = self._touch(entry, record.user_id)
            row |= {name: getattr(record, name) for name in _BATCH}
            row |= {"of_project": entry.project, "of_user": record.user_id}
            row |= {"place": len(self.batches), "received_at": entry.received_at}
            self.batches.append(row)
            self.batch_places.append((number, place))
        elif isinstance(record, ImageRecord):
            self._touch(entry, record.user_id)
        elif record.digest is None:
            self.uploads.append(_upload(entry, record))
            self.add_document(entry, record)

    def _touch(self, entry: Entry, user_id: str) -> Row:
        key = {"project_id": entry.project, "user_id": user_id}
        seen = {"first_seen": entry.received_at, "last_seen": entry.received_at}
        user = self.users.setdefault((entry.project, user_id), {**key, **seen})
        user["first_seen"] = min(user["first_seen"], entry.received_at)
        user["last_seen"] = max(user["last_seen"], entry.received_at)
        return key

    @property
    def owners(self) -> Collection[tuple[str, str]]:
        """Project and id of every user about whom something is written."""
        users, told = self.users.keys(), self.told.rows.keys()
        return users | told if users and told else users or told

    def is_erased(self, entry: Entry, user_id: str) -> bool:
        """Whether nothing of this user is written."""
        return bool(self.erased) and (entry.project, user_id) in self.erased

    def places_of(self, owners: Collection[tuple[str, str]]) -> set[tuple[int, int]]:
        """Number of the entry and place in it of the first attributes of each of these users."""
        left, places = set(owners), set()
        for number, entry in enumerate(self.entries):
            if number in self.rejected:
                continue
            for place, record in enumerate(entry.records):
                owner = (entry.project, record.user_id)
                if owner in left and isinstance(record, Attributes):
                    left.remove(owner)
                    if record.names:
                        places.add((number, place))
        return places

    def images(self) -> list[tuple[int, int, ImageRecord]]:
        """The images to write, as in `to_tell`, all of a project together.

        In one order for every group, as a project's numbers are locked until the end.
        """
        found = [
            (number, place, record)
            for number, place, record in self.to_tell
            if isinstance(record, ImageRecord)
            and not self.is_erased(self.entries[number], record.user_id)
        ]
        return sorted(found, key=lambda image: self.entries[image[0]].project)

    def add_document(self, entry: Entry, record: DocumentRecord) -> None:
        """Have a document written whose upload id is claimed."""
        row = self._touch(entry, record.user_id)
        row |= {name: getattr(record, name) for name in _DOCUMENT}
        self.documents.append(row | {"received_at": entry.received_at})

    def reject(self, entry: Entry, rejection: RejectionRecord) -> None:
        """Have a rejection written."""
        if self.is_erased(entry, rejection.user_id):
            return
        row = msgspec.structs.asdict(rejection) | {
            "faults": msgspec.json.encode(rejection.faults).decode(),
            "context": msgspec.json.encode(rejection.context).decode(),
            "parts": parts_text(rejection.parts),
            "resolved_by": None,
        }
        row |= {"project_id": entry.project, "request_id": entry.request_id}
        self.rejections.append(row | {"received_at": entry.received_at})


def write(
    connection: Connection, statements: Statements, group: Group, admission: Admission = EVERYTHING
) -> list[Committed]:
    """Write a group; what was found and stored, for each of its entries.

    Args:
        connection: in a transaction that writes.
        statements: of its database.
        group: without the entries that `admission` rejects.
        admission: what was found of users near the limits of attributes.

    Raises:
        OverLimit: there are more such users.
        IncompleteWrite: the database has dropped a row.
    """
    statements.begin.run(connection, [{"lane": statements.lane, "number": 1}])
    claims = iter(list(_claim_uploads(connection, statements, group)))
    if statements.many_writers and group.users:
        # Locked together with the others: two groups that locked the users of each kind after
        # those of another could wait for each other.
        for owner, row in group.told.rows.items():
            group.users.setdefault(owner, {name: row[name] for name in (*_KEY, *_SEEN)})
    statements.touch_users.run(connection, [group.users[key] for key in sorted(group.users)])
    same = statements.profiles.write(connection, group.told)
    statements.add_uploads.run(connection, group.uploads)
    statements.add_documents.run(connection, group.documents)
    statements.add_rejections.run(connection, group.rejections)
    written: list[list[Written]] = [[None] * len(entry.records) for entry in group.entries]
    for number, place, told in group.to_tell:
        if group.is_erased(group.entries[number], told.user_id):
            written[number][place] = _ERASED
        elif isinstance(told, DocumentRecord):
            written[number][place] = _NEW_DOCUMENT if told.digest is None else next(claims)
    images = group.images()
    stand = statements.images.write(
        connection, [(group.entries[n], record) for n, _, record in images]
    )
    for (number, place, _), image in zip(images, stand, strict=True):
        written[number][place] = image
    _resolve(connection, statements, group)
    unchanged = admission.unchanged | _unchanged(connection, statements, group)
    if same:
        unchanged |= group.places_of(same - admission.examined)
    for number, place in unchanged:
        written[number][place] = _UNCHANGED
    # Nothing is committed before all of it is known to be written.
    statements.settle(connection)
    committed = _receipted(connection, statements, group, written)
    statements.changes.write(connection, group.owners)
    return committed


def _receipted(
    connection: Connection,
    statements: Statements,
    group: Group,
    written: Sequence[Sequence[Written]],
) -> list[Committed]:
    """Write the receipts of a group; the outcomes of its entries."""
    committed: list[Committed] = []
    receipts: list[Row] = []
    for number, (entry, outcomes) in enumerate(zip(group.entries, written, strict=True)):
        if number in group.rejected:
            committed.append(Committed(group.rejected[number]))
            continue
        receipt = receipt_of(entry, outcomes, group.erased)
        receipts.append(receipt_row(entry.project, receipt, number))
        committed.append(Committed(tuple(outcomes), receipt))
    statements.add_receipts.run(connection, receipts)
    return committed


_NEW_DOCUMENT = WrittenDocument(None, new=True)
_ERASED = Erased()
_UNCHANGED = Unchanged()


def _unchanged(
    connection: Connection, statements: Statements, group: Group
) -> set[tuple[int, int]]:
    """Write the batches of a group; number and place of those that were there already."""
    unchanged = set()
    for sequence, repeats in statements.add_batches.returned(connection, group.batches):
        if int(repeats):
            place = int(sequence) % (1 << SEQUENCE_BITS)
            unchanged.add(group.batch_places[place])
    return unchanged


def _resolve(connection: Connection, statements: Statements, group: Group) -> None:
    """Note which rejections the entries of a group are the replay of."""
    for number, entry in enumerate(group.entries):
        if entry.resolves is not None and number not in group.rejected:
            r = t.rejections.c
            this = [
                r.project_id == entry.project,
                r.user_id.in_(entry.resolves.user_ids),
                r.rejection_id == entry.resolves.rejection_id,
            ]
            values = {"resolved_by": entry.request_id, "mark": statements.mark}
            update_all(connection, t.rejections, this, values)


def _claim_uploads(
    connection: Connection, statements: Statements, group: Group
) -> Iterator[WrittenDocument]:
    """Claim the derived upload ids of a group, each for the document that comes first."""
    claims = [
        (group.entries[number], record)
        for number, _, record in group.to_tell
        if isinstance(record, DocumentRecord)
        and record.digest is not None
        and not group.is_erased(group.entries[number], record.user_id)
    ]
    if not claims:
        return
    rows = [_upload(entry, record) for entry, record in claims]
    # In one order for every group, so that two writers never wait for each other.
    rows.sort(key=itemgetter("project_id", "upload_id"))
    claimed = set(statements.claim_uploads.returned(connection, rows))
    stands: dict[tuple[str, str], bytes | None] = {}
    for entry, record in claims:
        key = (entry.project, record.upload_id)
        new = key in claimed and key not in stands
        if new:
            stands[key] = record.digest
            group.add_document(entry, record)
        elif key not in stands:
            stands[key] = _digest_of(connection, *key)
        if stands[key] != record.digest and record.otherwise is not None:
            group.reject(entry, record.otherwise)
        yield WrittenDocument(stands[key], new=new)


def _digest_of(connection: Connection, project: str, upload_id: str) -> bytes | None:
    query = select(t.uploads.c.digest).filter_by(project_id=project, upload_id=upload_id)
    # There must be one, or its insert was dropped: `scalar_one` says so.
    digest: bytes | None = connection.execute(query).scalar_one()
    return digest


def _upload(entry: Entry, record: DocumentRecord) -> Row:
    key = {"project_id": entry.project, "user_id": record.user_id}
    return {**key, "upload_id": record.upload_id, "digest": record.digest}

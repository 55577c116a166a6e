"""A group of entries in one transaction, a statement for all rows of a kind.

Everything that a user's row orders is written after that row, whose upsert locks it: on engines
with many writers, entries of one user wait for each other there, and those of others do not.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

import msgspec
from sqlalchemy import Connection, select

from uptake.model.items import Attributes
from uptake.store import tables as t
from uptake.store.attribute_admission import EVERYTHING, Admission
from uptake.store.changes import ChangeLog
from uptake.store.database import Database, Result, Row, Writer, check_count, update_all
from uptake.store.images import ImageStatements
from uptake.store.profiles import AttributeUpdates, AttributeWrites
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
from uptake.store.rejections import parts_text
from uptake.store.stored import Committed, StoredReceipt

SEQUENCE_BITS = 16
"""A batch's sequence is its user's revision, then its place in the group in this many bits."""

_KEY = ("project_id", "user_id")
_SEEN = ("first_seen", "last_seen")
_BATCH = ("metric", "digest", "first", "last", "count", "columns")
_DOCUMENT = ("upload_id", "type", "version", "data")


class Group:
    """The rows of entries, by the statement that writes them; made before the transaction begins.

    Args:
        entries: in the order in which they are to be written.
        erased: project and id of users of whom nothing is written.
        rejected: entries that are not written, by number, and the result to return for each.

    Attributes:
        batches: one row for each batch, however often it is in the group.
        with_outcome: the records whose outcome is not simply "written", each after the number of
            its entry and its place in it.
        batch_places: by a batch's place in the group, number and place of the first record of it.
        repeated: number and place of records of batches that occur earlier in the group.
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
        self.updates = AttributeUpdates()
        self.batches: dict[tuple[str, str, str, bytes], Row] = {}
        self.uploads: list[Row] = []
        self.documents: list[Row] = []
        self.rejections: list[Row] = []
        self.with_outcome: list[tuple[int, int, Record]] = []
        self.batch_places: list[tuple[int, int]] = []
        self.repeated: set[tuple[int, int]] = set()
        for number, entry in enumerate(entries):
            if number in self.rejected:
                continue
            for place, record in enumerate(entry.records):
                gone = self.is_erased(entry, record.user_id)
                if gone or isinstance(record, DocumentRecord | ImageRecord):
                    self.with_outcome.append((number, place, record))
                if not gone:
                    self._add(entry, record, number, place)
            for rejection in stored_rejections(entry, erased):
                self.reject(entry, rejection)

    def _add(self, entry: Entry, record: Record, number: int, place: int) -> None:
        if isinstance(record, Attributes):
            self.updates.add(entry.project, record, entry.received_at)
        elif isinstance(record, BatchRecord):
            self._add_batch(entry, record, (number, place))
        elif isinstance(record, ImageRecord):
            self._touch(entry, record.user_id)
        elif record.digest is None:
            self.uploads.append(_upload(entry, record))
            self.add_document(entry, record)

    def _add_batch(self, entry: Entry, record: BatchRecord, place: tuple[int, int]) -> None:
        row = self._touch(entry, record.user_id)
        key = (entry.project, record.user_id, record.metric, record.digest)
        stored = self.batches.get(key)
        if stored is None:
            row |= {name: getattr(record, name) for name in _BATCH}
            self.batches[key] = row | {"repeats": 0}
        else:
            self.repeated.add(place)
            stored["repeats"] += 1
            place = self.batch_places[stored["place"]]
        self.batches[key] |= {"place": len(self.batch_places), "received_at": entry.received_at}
        self.batch_places.append(place)

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
        users, updated = self.users.keys(), self.updates.rows.keys()
        return users | updated if users and updated else users or updated

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
        """The images to write, as in `with_outcome`, all of a project together.

        In one order for every group, as a project's numbers are locked until the end.
        """
        found = [
            (number, place, record)
            for number, place, record in self.with_outcome
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
        }
        row |= {"project_id": entry.project, "request_id": entry.request_id}
        self.rejections.append(row | {"received_at": entry.received_at})


class GroupWrites:
    """Writes groups to a database.

    Args:
        database: which one.
    """

    def __init__(self, database: Database) -> None:
        self._many_writers = database.many_writers
        self._attributes = AttributeWrites()
        self._images = ImageStatements(database)
        self.changes = ChangeLog()

    def write(
        self,
        connection: Connection,
        writer: Writer,
        group: Group,
        admission: Admission = EVERYTHING,
    ) -> list[Committed]:
        """Write a group. Returns what was found and stored, for each of its entries.

        Statements are sent together where the engine can: those that return nothing first, their
        results are read at the end. So the receipts are written as if nothing had been stored
        before, and corrected where a record turns out to be a duplicate.

        Args:
            connection: in a transaction that writes.
            writer: of the transaction.
            group: without the entries that `admission` rejects.
            admission: what was found of users near the limits of attributes.

        Raises:
            OverLimit: there are more such users.
            IncompleteWrite: the database has dropped a row.
        """
        writer.take_commit_number()
        claims = iter(list(_claim_uploads(connection, writer, group)))
        if self._many_writers and group.users:
            # Locked together with the others: two groups that locked the users of each kind after
            # those of another could wait for each other.
            for owner, row in group.updates.rows.items():
                group.users.setdefault(owner, {name: row[name] for name in (*_KEY, *_SEEN)})
        writer.run("touch_users", [group.users[key] for key in sorted(group.users)])
        changed = self._attributes.begin(connection, writer, group.updates)
        batches = list(group.batches.values())
        new = writer.run("add_batches", batches, every=False)
        writer.run("add_uploads", group.uploads)
        writer.run("add_documents", group.documents)
        writer.run("add_rejections", group.rejections)
        written: list[list[Written]] = [[None] * len(entry.records) for entry in group.entries]
        for number, place, record in group.with_outcome:
            if group.is_erased(group.entries[number], record.user_id):
                written[number][place] = _ERASED
            elif isinstance(record, DocumentRecord):
                written[number][place] = _NEW_DOCUMENT if record.digest is None else next(claims)
        images = group.images()
        stored = self._images.write(
            connection, writer, [(group.entries[number], record) for number, _, record in images]
        )
        for (number, place, _), image in zip(images, stored, strict=True):
            written[number][place] = image
        _resolve(connection, writer, group)
        for number, place in admission.unchanged | group.repeated:
            written[number][place] = _UNCHANGED
        receipts = _receipts(group, written, range(len(group.entries)))
        writer.run("add_receipts", _receipt_rows(group, receipts))
        self.changes.write(connection, writer, group.owners)
        unchanged = _repeated(writer, group, batches, new)
        same = self._attributes.finish(connection, writer, group.updates, changed)
        unchanged |= group.places_of(same - admission.examined)
        for number, place in unchanged:
            written[number][place] = _UNCHANGED
        if unchanged:
            corrected = _receipts(group, written, {number for number, _ in unchanged})
            writer.run("add_receipts", _receipt_rows(group, corrected))
            receipts |= corrected
        writer.flush()
        return [
            Committed(group.rejected[number])
            if number in group.rejected
            else Committed(tuple(outcomes), receipts[number])
            for number, outcomes in enumerate(written)
        ]


_NEW_DOCUMENT = WrittenDocument(None, new=True)
_ERASED = Erased()
_UNCHANGED = Unchanged()


def _receipts(
    group: Group, written: Sequence[Sequence[Written]], numbers: Iterable[int]
) -> dict[int, StoredReceipt]:
    """Return the receipts of entries by number; an entry that is rejected whole has none."""
    return {
        number: receipt_of(group.entries[number], written[number], group.erased)
        for number in numbers
        if number not in group.rejected
    }


def _receipt_rows(group: Group, receipts: Mapping[int, StoredReceipt]) -> list[Row]:
    return [
        receipt_row(group.entries[number].project, receipt, number)
        for number, receipt in receipts.items()
    ]


def _repeated(
    writer: Writer, group: Group, batches: Sequence[Row], new: Result
) -> set[tuple[int, int]]:
    """Update the batches that were stored before. Returns number and place of their records."""
    if not batches or new.count == len(batches):
        return set()
    repeated = writer.run("repeat_batches", batches, every=False).rows
    check_count("INSERT INTO sample_batches", new.count + len(repeated), len(batches))
    return {group.batch_places[int(sequence) % (1 << SEQUENCE_BITS)] for (sequence,) in repeated}


def _resolve(connection: Connection, writer: Writer, group: Group) -> None:
    """Mark the rejections that entries of the group are the replay of."""
    for number, entry in enumerate(group.entries):
        if entry.resolves is not None and number not in group.rejected:
            r = t.rejections.c
            this = [
                r.project_id == entry.project,
                r.user_id.in_(entry.resolves.user_ids),
                r.rejection_id == entry.resolves.rejection_id,
            ]
            values = {"resolved_by": entry.request_id, "mark": writer.commit_number}
            update_all(connection, t.rejections, this, values)


def _claim_uploads(
    connection: Connection, writer: Writer, group: Group
) -> Iterator[WrittenDocument]:
    """Claim the derived upload ids of a group, each for the document that comes first."""
    claims = [
        (group.entries[number], record)
        for number, _, record in group.with_outcome
        if isinstance(record, DocumentRecord)
        and record.digest is not None
        and not group.is_erased(group.entries[number], record.user_id)
    ]
    if not claims:
        return
    rows = [_upload(entry, record) for entry, record in claims]
    # In one order for every group, so that two writers never wait for each other.
    rows.sort(key=itemgetter("project_id", "upload_id"))
    claimed = set(writer.run("claim_uploads", rows, every=False).rows)
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

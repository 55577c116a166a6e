"""Writes the entries of many requests in one transaction, with one statement for each kind of row.

The row of a user is written first, which locks it. So, on engines with many writers, transactions
with the same user wait for each other there, and others do not.
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
from uptake.store.images import ImageWrites
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
    """The rows of entries, by statement; made before the transaction begins.

    Records are addressed by the number of their entry and their place in it.

    Args:
        entries: in the order in which they are written.
        erased: project and id of users that are not written.
        rejected: by number, the outcomes of entries that are not written.

    Attributes:
        batches: one row for each batch, however often it is in the group.
        with_outcome: addresses of documents, images and records of erased users.
        batch_places: by the place of a batch in its sequence, the address of its first record.
        repeated: addresses of records with a batch that occurs earlier in the group.
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
        """Project and id of every user that is written."""
        users, updated = self.users.keys(), self.updates.rows.keys()
        return users | updated if users and updated else users or updated

    def is_erased(self, entry: Entry, user_id: str) -> bool:
        """Whether this user is not written."""
        return bool(self.erased) and (entry.project, user_id) in self.erased

    def places_of(self, owners: Collection[tuple[str, str]]) -> set[tuple[int, int]]:
        """Return the addresses of the first attributes of each of these users."""
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
        """Return the images with their addresses, sorted by project as `ImageWrites` requires."""
        found = [
            (number, place, record)
            for number, place, record in self.with_outcome
            if isinstance(record, ImageRecord)
            and not self.is_erased(self.entries[number], record.user_id)
        ]
        return sorted(found, key=lambda image: self.entries[image[0]].project)

    def add_document(self, entry: Entry, record: DocumentRecord) -> None:
        """Add a document. Its upload id is claimed already."""
        row = self._touch(entry, record.user_id)
        row |= {name: getattr(record, name) for name in _DOCUMENT}
        self.documents.append(row | {"received_at": entry.received_at})

    def reject(self, entry: Entry, rejection: RejectionRecord) -> None:
        """Add a rejection."""
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
        database: the database.
    """

    def __init__(self, database: Database) -> None:
        self._many_writers = database.many_writers
        self._attributes = AttributeWrites()
        self._images = ImageWrites(database)
        self.changes = ChangeLog()

    def write(
        self,
        connection: Connection,
        writer: Writer,
        group: Group,
        admission: Admission = EVERYTHING,
    ) -> list[Committed]:
        """Write a group. Returns what was found and stored, for each of its entries.

        No result is read before everything is sent: one round trip, on engines that have any.
        So receipts are written as if nothing were stored already, and written again if a record
        is a duplicate.

        Args:
            connection: in a transaction that writes.
            writer: of the transaction.
            group: without the entries that `admission` rejects.
            admission: result of `attribute_admission.examine`.

        Raises:
            OverLimit: further users must be examined.
            IncompleteWrite: the database dropped a row.
        """
        writer.take_commit_number()
        claims = iter(list(_claim_uploads(connection, writer, group)))
        if self._many_writers and group.users:
            # Users with attributes are locked together with the others, so that all are locked in
            # one order: two groups cannot deadlock.
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
    """Return the receipts of entries by number. A rejected entry has none."""
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
    """Update the batches that were stored already. Returns the addresses of their records."""
    if not batches or new.count == len(batches):
        return set()
    repeated = writer.run("repeat_batches", batches, every=False).rows
    check_count("INSERT INTO sample_batches", new.count + len(repeated), len(batches))
    return {group.batch_places[int(sequence) % (1 << SEQUENCE_BITS)] for (sequence,) in repeated}


def _resolve(connection: Connection, writer: Writer, group: Group) -> None:
    """Mark the rejections that entries of the group replay."""
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
    """Claim the derived upload ids of a group, each for its first document."""
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
    # In the same order for every group, so that writers cannot deadlock.
    rows.sort(key=itemgetter("project_id", "upload_id"))
    claimed = set(writer.run("claim_uploads", rows, every=False).rows)
    stored: dict[tuple[str, str], bytes | None] = {}
    for entry, record in claims:
        key = (entry.project, record.upload_id)
        new = key in claimed and key not in stored
        if new:
            stored[key] = record.digest
            group.add_document(entry, record)
        elif key not in stored:
            stored[key] = _digest_of(connection, *key)
        if stored[key] != record.digest and record.otherwise is not None:
            group.reject(entry, record.otherwise)
        yield WrittenDocument(stored[key], new=new)


def _digest_of(connection: Connection, project: str, upload_id: str) -> bytes | None:
    query = select(t.uploads.c.digest).filter_by(project_id=project, upload_id=upload_id)
    # Without a row the insert was dropped: `scalar_one` raises.
    digest: bytes | None = connection.execute(query).scalar_one()
    return digest


def _upload(entry: Entry, record: DocumentRecord) -> Row:
    key = {"project_id": entry.project, "user_id": record.user_id}
    return {**key, "upload_id": record.upload_id, "digest": record.digest}

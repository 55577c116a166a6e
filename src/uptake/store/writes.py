"""Writes the entries of many requests in one transaction, with one statement for each kind of row.

The row of a user is written first, which locks it. So, on engines with many writers, transactions
with the same user wait for each other there, and others do not.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from threading import Lock

from sqlalchemy import Connection, Engine, select

from uptake.store import audit
from uptake.store import tables as t
from uptake.store.attribute_admission import EVERYTHING, Admission, examine
from uptake.store.base import StoreUnavailable
from uptake.store.changes import ChangeLog
from uptake.store.database import Result, Row, Writer, check_count, update_all
from uptake.store.erasures import SqlErasures
from uptake.store.events import upload_rows
from uptake.store.group import Group, receipt_of, receipt_row, upload_row
from uptake.store.images import ImageWrites
from uptake.store.outgoing import outbox_rows
from uptake.store.profiles import AttributeUpdates, AttributeWrites, OverLimit, Owner, names_rows
from uptake.store.records import DocumentRecord, Entry, Erased, Unchanged, Written, WrittenDocument
from uptake.store.sample_blocks import receive_again, rows_of
from uptake.store.stored import Committed, StoredReceipt

SEQUENCE_BITS = 16
"""A batch's sequence is its user's revision, then its place in the group in this many bits."""

MAX_REMEMBERED = 1024
"""Users near the limits of attributes in the memory of a process."""

ATTEMPTS = 5
"""Attempts to write a group with users near the limits of attributes. A second one is enough,
unless others create the same users at the same time."""

_KEY = ("project_id", "user_id")
_SEEN = ("first_seen", "last_seen")

Known = dict[str, tuple[int, frozenset[str]]]
"""By project, how often its tombstones had changed, and the hashes of its erased users."""

_NONE: tuple[int, frozenset[str]] = (0, frozenset())


class Tombstones:
    """The tombstones that a process knows.

    Args:
        user_hash: `ChangeFeed.user_hash`.
    """

    def __init__(self, user_hash: Callable[[str], str]) -> None:
        self._user_hash = user_hash
        self._known: Known = {}

    def known(self, projects: Iterable[str]) -> Known:
        """Return the tombstones of projects, as far as this process has read them."""
        return {project: self._known.get(project, _NONE) for project in projects}

    def among(self, known: Known, entries: Sequence[Entry]) -> set[Owner]:
        """Return the users of these entries that were erased."""
        return {
            owner
            for project, (_, hashes) in known.items()
            if hashes
            for owner in _owners(entries)
            if owner[0] == project and self._user_hash(owner[1]) in hashes
        }

    def update(self, connection: Connection, known: Known, changes: Result) -> bool:
        """Read the tombstones that changed. Returns whether any did.

        Args:
            connection: in a transaction that writes.
            known: as they were; those that changed are replaced.
            changes: result of `SqlErasures.tombstone_changes` for the same projects.
        """
        # On some engines the values of a result are text.
        numbers = {project: int(number) for project, number in changes.rows}
        stale = [name for name, (number, _) in known.items() if number != numbers.get(name, 0)]
        for project in stale:
            query = select(t.tombstones.c.user_hash).filter_by(project_id=project)
            hashes = frozenset(connection.scalars(query))
            known[project] = self._known[project] = (numbers.get(project, 0), hashes)
        return bool(stale)


class TombstonesChanged(Exception):
    """A group was made with tombstones that have changed since; it must be made again."""


def _owners(entries: Iterable[Entry]) -> set[Owner]:
    return {
        (entry.project, item.user_id)
        for entry in entries
        for item in (*entry.records, *entry.rejections, *([entry.error] if entry.error else ()))
        if item.user_id
    }


class _Undone(Exception):
    """A rehearsal has its outcome; the transaction is rolled back.

    Attributes:
        outcome: of the entry.
    """

    def __init__(self, outcome: Committed) -> None:
        super().__init__()
        self.outcome = outcome


class NearLimit:
    """The users to examine before their attributes are written."""

    def __init__(self) -> None:
        # Several parts of a group may be written at the same time.
        self._lock = Lock()
        self._owners: dict[Owner, None] = {}

    def add(self, owners: Collection[Owner]) -> None:
        """Add users, and forget the oldest."""
        with self._lock:
            for owner in owners:
                self._owners.pop(owner, None)
                self._owners[owner] = None
            while len(self._owners) > MAX_REMEMBERED:
                del self._owners[next(iter(self._owners))]

    def among(self, updates: AttributeUpdates) -> set[Owner]:
        """Return the users of a group to examine."""
        if not self._owners:
            return updates.to_examine
        return updates.to_examine | {owner for owner in list(self._owners) if owner in updates.rows}


class SqlCommits(SqlErasures):
    """The port `Commits`, on SQL."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._attributes = AttributeWrites()
        self._images = ImageWrites(self)
        self._change_log = ChangeLog()
        self._tombstones = Tombstones(self.user_hash)
        self._near_limit = NearLimit()

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """See `Commits.commit`."""
        return self._attempt(entries)

    def rehearse(self, entry: Entry) -> Committed:
        """See `Commits.rehearse`."""
        try:
            self._attempt([entry], undo=True)
        except _Undone as undone:
            return undone.outcome
        raise RuntimeError("a rehearsal was stored")

    def _attempt(self, entries: Sequence[Entry], *, undo: bool = False) -> list[Committed]:
        for _ in range(ATTEMPTS):
            try:
                return self._commit(entries, undo=undo)
            except OverLimit as found:
                self._near_limit.add(found.owners)
            except TombstonesChanged:
                continue
        raise StoreUnavailable("users' attributes change faster than they can be checked")

    def parts(self, entries: Sequence[Entry]) -> list[Sequence[int]]:
        """See `Commits.parts`."""
        return [range(len(entries))]

    def _commit(self, entries: Sequence[Entry], *, undo: bool) -> list[Committed]:
        projects = {entry.project for entry in entries}
        # The transaction checks at its end whether these are still all tombstones.
        tombstones = self._tombstones.known(projects)
        erased = self._tombstones.among(tombstones, entries)
        group = Group(entries, erased)
        if group.updates.rows and not undo:
            versions = {project: number for project, (number, _) in tombstones.items()}
            self._attributes.add_names(self, group.updates, versions)
        with self.writing() as connection:
            writer = self.writer(connection)
            changes = self.tombstone_changes(writer, projects)
            if undo:
                writer.run("add_attribute_names", names_rows(group.updates), every=False)
            owners = self._near_limit.among(group.updates)
            admission = EVERYTHING
            if owners:
                admission = examine(connection, entries, group.updates, owners, erased)
                if admission.rejected:
                    group = Group(entries, erased, admission.rejected)
            outcomes = self._write(connection, writer, group, admission)
            if self._tombstones.update(connection, tombstones, changes):
                raise TombstonesChanged
            if undo:
                raise _Undone(outcomes[0])
            for entry in entries:
                if entry.act is not None and entry.resolves is not None:
                    replayed = entry.project, "rejection.replay", entry.resolves.rejection_id
                    audit.record(connection, *replayed, act=entry.act, request_id=entry.request_id)
            return outcomes

    def _write(
        self,
        connection: Connection,
        writer: Writer,
        group: Group,
        admission: Admission,
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
        claims = list(_claim_uploads(connection, writer, group))
        if self.many_writers and group.users:
            # Users with attributes are locked together with the others, so that all are locked in
            # one order: two groups cannot deadlock.
            for owner, row in group.updates.rows.items():
                group.users.setdefault(owner, {name: row[name] for name in (*_KEY, *_SEEN)})
        writer.run("touch_users", [group.users[key] for key in sorted(group.users)])
        changed = self._attributes.begin(writer, group.updates)
        batches = list(group.batches.values())
        new = writer.run("add_batches", batches, every=False)
        folded = writer.run("find_folded", batches, every=False)
        writer.run("add_uploads", group.uploads)
        writer.run("add_documents", group.documents)
        writer.run("add_rejections", group.rejections)
        written = self._outcomes(connection, writer, group, claims)
        _resolve(connection, writer, group)
        for number, place in admission.unchanged | group.repeated:
            written[number][place] = _UNCHANGED
        if any(entry.outgoing for entry in group.entries):
            writer.run("add_outbox", list(outbox_rows(group, written)))
            writer.run("add_events", list(upload_rows(group, written)))
        receipts = _receipts(group, written, range(len(group.entries)))
        writer.run("add_receipts", _receipt_rows(group, receipts))
        self._change_log.write(connection, writer, group.owners)
        unchanged = _repeated(writer, group, batches, new)
        unchanged |= _repeated_in_blocks(connection, group, folded)
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

    def _outcomes(
        self,
        connection: Connection,
        writer: Writer,
        group: Group,
        claims: Iterable[WrittenDocument],
    ) -> list[list[Written]]:
        """Write the images. Returns the outcomes as if all attributes and batches were new."""
        written: list[list[Written]] = [[None] * len(entry.records) for entry in group.entries]
        claimed = iter(claims)
        for number, place, record in group.with_outcome:
            if group.is_erased(group.entries[number], record.user_id):
                written[number][place] = _ERASED
            elif isinstance(record, DocumentRecord):
                written[number][place] = _NEW_DOCUMENT if record.digest is None else next(claimed)
        if images := group.images():
            records = [(group.entries[number], record) for number, _, record in images]
            stored = self._images.write(connection, writer, records)
            for (number, place, _), image in zip(images, stored, strict=True):
                written[number][place] = image
        return written


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


def _repeated_in_blocks(
    connection: Connection, group: Group, folded: Result
) -> set[tuple[int, int]]:
    """Update batches of blocks that were received again. Returns the addresses of their records."""
    found: set[tuple[int, int]] = set()
    # Several statements may have found the same block.
    for *names, until, sequence in dict.fromkeys(folded.rows):
        owner = dict(zip(("project_id", "user_id", "metric"), names, strict=True))
        blocks = t.sample_blocks.c
        same = blocks.until == int(until), blocks.sequence == int(sequence)
        (row,) = rows_of(connection, owner, *same)
        sent = {digest: one for (*key, digest), one in group.batches.items() if key == names}
        for digest in receive_again(connection, owner, row, sent):
            found.add(group.batch_places[sent[digest]["place"]])
    return found


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
    rows = [upload_row(entry, record) for entry, record in claims]
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

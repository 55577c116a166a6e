"""What queries return: rows without behaviour.

Moments are microseconds since the epoch, times of samples are ticks (`uptake.time_units`).
"""

from collections.abc import Generator, Sequence
from typing import Any, Literal

from msgspec import Struct

from uptake.model.shares import OTHER_PART
from uptake.model.submission import Fault
from uptake.samples.metrics import Metric
from uptake.store.definitions import FIRST_VERSION
from uptake.store.records import RejectionRecord, Written


class User(Struct, frozen=True):
    """A user's attributes, and counts of documents and images."""

    user_id: str
    attributes: dict[str, str]
    first_seen: int
    last_seen: int
    documents: int
    images: int


class SeenUser(Struct, frozen=True):
    """A user, and when the user was first and last seen."""

    user_id: str
    first_seen: int
    last_seen: int


class Span(Struct, frozen=True):
    """A batch or a block without its samples; a user's `sequence` grows in the order received.

    Attributes:
        metric, first, last: as in `StoredBatch`.
        count: the number of distinct samples.
        sequence: of the last of its batches.
    """

    metric: Metric
    first: int
    last: int
    count: int
    sequence: int


class StoredDocument(Struct, frozen=True):
    """A document; `version` is the version of its type that it was validated against."""

    user_id: str
    upload_id: str
    type: str
    data: bytes
    received_at: int
    version: int = FIRST_VERSION


class DocumentFilter(Struct, frozen=True):
    """Selects documents; by default all.

    Attributes:
        type: of this type.
        since: received at this moment or later.
        until: received before this moment.
    """

    type: str | None = None
    since: int | None = None
    until: int | None = None


class VersionStock(Struct, frozen=True):
    """The documents validated against one version: their number, first and last receipt."""

    version: int
    count: int
    first: int
    last: int


class StoredImage(Struct, frozen=True):
    """An image; see `ImageRecord`."""

    image_id: int
    user_id: str
    name: str
    sha256: str
    bytes: int
    blob: str
    media_type: str
    width: int
    height: int
    received_at: int
    uploaded_bytes: int


class StoredRejection(Struct, frozen=True):
    """A rejection, or the part of it that is about one user.

    Attributes:
        record: the record of the first of its users.
        request_id, received_at: of its request.
        resolved_by: the request that replayed it, if any.
        others: the records of its other users, in order.
    """

    record: RejectionRecord
    request_id: str
    received_at: int
    resolved_by: str | None = None
    others: tuple[RejectionRecord, ...] = ()

    @property
    def records(self) -> tuple[RejectionRecord, ...]:
        """All its records."""
        return (self.record, *self.others)

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The users it is about."""
        return tuple(record.user_id for record in self.records if record.user_id)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every reason, once."""
        found = dict.fromkeys(fault for record in self.records for fault in record.faults)
        if len(found) > 1:
            found.pop(OTHER_PART, None)
        return tuple(found)


class RejectionFilter(Struct, frozen=True):
    """Selects rejections; None matches any.

    Attributes:
        format, key_id, user_id, request_id: equal to.
        code: of at least one of their faults.
        since, until: received in this interval, `until` excluded.
        resolved: whether they were replayed.
    """

    format: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    code: str | None = None
    since: int | None = None
    until: int | None = None
    resolved: bool | None = None


ALL_REJECTIONS = RejectionFilter()


class ReceiptItem(Struct, frozen=True, array_like=True):
    """The outcome of consecutive items of a request that were not rejected.

    Attributes:
        kind: of the items; `erased` if their users were erased, so they are not stored.
        count: number of items.
        reference: a document's upload id, an image's number.
        repeated: whether it was stored before.
    """

    kind: Literal["document", "image", "samples", "attributes", "erased"]
    count: int
    reference: str = ""
    repeated: bool = False


class StoredReceipt(Struct, frozen=True):
    """The outcome of a request.

    Attributes:
        request_id, received_at, format, key_id: of the request.
        user_id: the user it is about if that is one user; else "".
        items: the accepted ones.
        rejected: ids of the first and the last of its rejections; the others are between them.
        duplicates: items that changed nothing, because they were stored already.
        status, code: of an error that was returned before any item was validated; else 0 and "".
        ms: see `Entry`; None if unknown.
        rejected_items: how many; None if none, and in receipts of an earlier version.
        fault: code of the first fault of the first rejected item.
    """

    request_id: str
    received_at: int
    format: str
    key_id: str
    user_id: str
    items: tuple[ReceiptItem, ...]
    rejected: tuple[str, str] | None
    duplicates: int = 0
    status: int = 0
    code: str = ""
    ms: int | None = None
    rejected_items: int | None = None
    fault: str | None = None


class Committed(Struct, frozen=True):
    """The result of committing an entry.

    Attributes:
        written: one for each of its records.
        receipt: as stored with it; None if nothing of the entry is stored (`NotStored`).
    """

    written: tuple[Written, ...]
    receipt: StoredReceipt | None = None


class Profiles(Struct, frozen=True):
    """Users with the same attribute names, in columns.

    Attributes:
        names: of the attributes; None if the users of `values` have their own.
        user_ids: UTF-8, with a NUL between two ids, which no id contains.
        first_seen, last_seen: JSON: the moments, in the order of `user_ids`; or empty.
        values: JSON: for each user an array in the order of `names`, or an object by name.
    """

    names: tuple[str, ...] | None
    user_ids: bytes
    first_seen: bytes
    last_seen: bytes
    values: bytes


ProfilePages = Generator[list[Profiles], None, None]
"""A project's users at one moment.

Each page has at least one user, and only users with ids above those of the page before, in order of
code points. The generator reads while it is iterated, in one thread at a time.
"""


class Change(Struct, frozen=True):
    """Users with new data, or erased users, of one transaction.

    Attributes:
        change_id: identifies the change.
        users: ids, each once.
        erased: `user_hash` of erased users, which are not named any more.
    """

    change_id: str
    users: list[str]
    erased: list[str]


class Changes(Struct, frozen=True):
    """Changes of a project, and the position to continue from."""

    next: int
    changes: list[Change]


class Erasure(Struct, frozen=True):
    """An erased user.

    Attributes:
        erasure_id: ids of one process are in the order of time.
        user_hash: `ids.user_hash` of the user.
        erased_at: moment.
        counts: deleted rows by kind; samples as received, repeats included.
        finished_at: when the last bytes were deleted from the blob store; None until then.
    """

    erasure_id: str
    user_hash: str
    erased_at: int
    counts: dict[str, int]
    finished_at: int | None = None


class Expired(Struct, frozen=True):
    """A page of deleted data.

    Attributes:
        count: number of items deleted; samples are counted one by one.
        blobs: blobs that no other rows referred to.
        next: where the next page starts; () at the end.
    """

    count: int
    blobs: tuple[str, ...]
    next: tuple[Any, ...]


class Folded(Struct, frozen=True):
    """What was folded.

    Attributes:
        batches: that were in rows of their own, and now are in blocks.
        blocks: that were written.
        bytes: of these.
        unreadable: groups that stay as they are, because their samples cannot be decoded.
        complete: whether all batches were looked at that were there at the begin.
    """

    batches: int = 0
    blocks: int = 0
    bytes: int = 0
    unreadable: int = 0
    complete: bool = True


class Selection(Struct, frozen=True):
    """Selects data of a project; by default all of it.

    Attributes:
        users: of these users, each once and in order.
        since: received after the snapshot with this `commit_sequence`.
        start: of this time or later: ticks for samples, microseconds for the rest.
        end: of a time before this.
    """

    users: Sequence[str] | None = None
    since: dict[int, int] | None = None
    start: int | None = None
    end: int | None = None


EVERYTHING = Selection()


class StoredBatch(Struct, frozen=True, gc=False):
    """A batch of samples, or a block of batches; a user's `sequence` grows in the order received.

    Attributes:
        sequence: of the last of its batches.
        first, last: the starts of its first and last sample.
        count: its samples.
        columns: the samples.
        directory: of a block (`samples.blocks`).
        until: of a block, the end of the sample that ends last.
    """

    user_id: str
    metric: Metric
    sequence: int
    first: int
    last: int
    count: int
    columns: bytes
    directory: bytes | None = None
    until: int | None = None


class StoredUser(Struct, frozen=True, gc=False):
    """A user's attributes by name, and when the user was first and last seen."""

    user_id: str
    attributes: dict[str, str]
    first_seen: int
    last_seen: int

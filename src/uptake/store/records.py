"""What a store is handed and hands back: rows without behaviour.

Moments are microseconds since the epoch, sample times are ticks (`samples.times`).
"""

from typing import Literal

from msgspec import Struct

from uptake.model.items import Attributes, Metric
from uptake.model.shares import OTHER_PART, Part
from uptake.model.submission import Fault

FIRST_VERSION = 1
"""Of a document type."""


class ImageRecord(Struct, frozen=True):
    """An image to keep, its bytes being in the blob store already.

    Attributes:
        user_id: whose image it is.
        upload_digest: SHA-256 of the bytes as uploaded; the image's identity for its user.
        uploaded_bytes: size as uploaded.
        name: the last part of its URL.
        sha256: hexadecimal, of the bytes as kept and served.
        bytes: size of these.
        blob: where the blob store has them.
        media_type, width, height: of the picture.
    """

    user_id: str
    upload_digest: bytes
    uploaded_bytes: int
    name: str
    sha256: str
    bytes: int
    blob: str
    media_type: str
    width: int
    height: int


class BatchRecord(Struct, frozen=True):
    """Samples to keep.

    Attributes:
        user_id, metric: as in `SampleBatch`.
        digest: of the columns.
        first, last: the starts of its first and last sample.
        count: how many samples.
        columns: what `samples.columns.to_bytes` gives.
        received: how many arrived, repeats within the batch included.
    """

    user_id: str
    metric: Metric
    digest: bytes
    first: int
    last: int
    count: int
    columns: bytes
    received: int


class RejectionRecord(Struct, frozen=True):
    """A rejection to store; `raw` or, for large ones, `raw_blob` is the item as it was sent.

    A request that is rejected as a whole and is about several users has a record for each of them,
    all with the same id (`model.shares`).

    Attributes:
        user_id: the user it is about; "" where none can be read.
        rejection_id: those of one process are in the order of time.
        format: the endpoint's name.
        key_id: the key it was sent with.
        position: in its request; None for a request as a whole.
        faults: every reason.
        context: what must be known besides to judge the item again (see `intake.replay`).
        parts: what of the body is in this record; None for all of it.
    """

    user_id: str
    rejection_id: str
    format: str
    key_id: str
    position: int | None
    faults: tuple[Fault, ...]
    raw: bytes
    raw_blob: str | None = None
    context: dict[str, str] = {}
    parts: tuple[Part, ...] | None = None


class DocumentRecord(Struct, frozen=True):
    """A document to keep.

    Attributes:
        user_id, upload_id, type, data: as in `Document`.
        digest: of what was sent, when the `upload_id` is derived and may be taken already.
        otherwise: what to keep instead when it is taken with another digest.
        version: of its type, by which it was judged.
    """

    user_id: str
    upload_id: str
    type: str
    data: bytes
    digest: bytes | None = None
    otherwise: RejectionRecord | None = None
    version: int = FIRST_VERSION


Record = DocumentRecord | ImageRecord | BatchRecord | Attributes


class Resolved(Struct, frozen=True):
    """A rejection that was replayed, and the users it is stored under."""

    rejection_id: str
    user_ids: tuple[str, ...]


class RequestError(Struct, frozen=True):
    """An error with which a request was answered before its items were looked at.

    Attributes:
        status: of HTTP.
        code: of the problem.
        user_id: the user its key is bound to; else "".
    """

    status: int
    code: str
    user_id: str = ""


class Entry(Struct, frozen=True):
    """A submission in the form in which it is written: all of it or nothing.

    Attributes:
        project: whose data it is.
        request_id, received_at, format, key_id: where it comes from.
        records: what to keep.
        rejections: the rejections.
        resolves: the rejection that this is the replay of.
        error: of a request without records and rejections, the reason.
    """

    project: str
    request_id: str
    received_at: int
    records: tuple[Record, ...] = ()
    rejections: tuple[RejectionRecord, ...] = ()
    format: str = ""
    key_id: str = ""
    resolves: Resolved | None = None
    error: RequestError | None = None


class User(Struct, frozen=True):
    """What is kept about a user, samples apart."""

    user_id: str
    attributes: dict[str, str]
    first_seen: int
    last_seen: int
    documents: int
    images: int


class Span(Struct, frozen=True):
    """A batch without its samples; a user's `sequence` grows in the order received."""

    metric: Metric
    first: int
    last: int
    count: int
    sequence: int


class StoredDocument(Struct, frozen=True):
    """A document as it is kept; `version` is that of its type, by which it was judged."""

    user_id: str
    upload_id: str
    type: str
    data: bytes
    received_at: int
    version: int = FIRST_VERSION


class StoredImage(Struct, frozen=True):
    """An image as it is kept."""

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


class StoredRejection(Struct, frozen=True):
    """A rejection as it is stored, or what of it is about one user.

    Attributes:
        record: what is stored under the first of its users.
        request_id, received_at: of its request.
        resolved_by: the request that replayed it, if one did.
        others: what is stored under its other users, in their order.
    """

    record: RejectionRecord
    request_id: str
    received_at: int
    resolved_by: str | None = None
    others: tuple[RejectionRecord, ...] = ()

    @property
    def records(self) -> tuple[RejectionRecord, ...]:
        """All that is stored of it."""
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
    """Which rejections are asked for; None stands for any.

    Attributes:
        format, key_id, user_id, request_id: what they have.
        code: of at least one of their faults.
        since, until: moments between which they were received, the second excluded.
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


class ReceiptItem(Struct, frozen=True, array_like=True):
    """What became of items that were not rejected, and stand one after the other in a request.

    Attributes:
        kind: of the items; `erased` for those of users who were erased, which are not kept.
        count: how many they are.
        reference: a document's upload id, an image's number.
        repeated: whether it stood there before.
    """

    kind: Literal["document", "image", "samples", "attributes", "erased"]
    count: int
    reference: str = ""
    repeated: bool = False


class StoredReceipt(Struct, frozen=True):
    """What became of a request.

    Attributes:
        request_id, received_at, format, key_id: where it comes from.
        user_id: whom it is about, where that is one user; else "".
        items: the accepted ones.
        rejected: the ids of the first and the last of its rejections, which lie between them.
        duplicates: items that changed nothing, because they were stored already.
        status, code: of the error that the request was answered with before its items were looked
            at; else 0 and "".
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


class Rate(Struct, frozen=True):
    """So many requests in each window of so many seconds."""

    requests: int
    seconds: int


class Key(Struct, frozen=True):
    """A key, without its secret.

    Attributes:
        id: what it is called when it is listed or revoked.
        digest: `ids.key_digest` of the secret.
        project: all it sends belongs here.
        scopes: what it may do.
        user: the only user it may speak for; None for any.
        rate: how often it may be used; None without limit.
        created_at, expires_at, revoked_at: moments.
    """

    id: str
    digest: str
    project: str
    scopes: tuple[str, ...]
    created_at: int
    user: str | None = None
    rate: Rate | None = None
    expires_at: int | None = None
    revoked_at: int | None = None


class DocumentType(Struct, frozen=True):
    """A registered type of document.

    Attributes:
        name: as in the address it is sent to.
        schema: the current one, JSON text; None takes any object.
        created_at: when it was first registered.
        version: of the schema: grows by one whenever it changes.
    """

    name: str
    schema: str | None
    created_at: int
    version: int = FIRST_VERSION


class TypeVersion(Struct, frozen=True):
    """A schema that a type has or had; `created_at` is when it was given it."""

    version: int
    schema: str | None
    created_at: int


class VersionStock(Struct, frozen=True):
    """What is kept of the documents that were judged by a version; moments of receipt."""

    version: int
    count: int
    first: int
    last: int

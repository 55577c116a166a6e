"""What a store is handed and hands back: rows without behaviour.

Moments are microseconds since the epoch, sample times are ticks (`samples.times`).
"""

from msgspec import Struct

from uptake.model.items import Attributes, Metric
from uptake.model.submission import Fault


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
    """Samples to keep; `columns` is what `samples.columns.to_bytes` gives."""

    user_id: str
    metric: Metric
    digest: bytes
    first: int
    last: int
    count: int
    columns: bytes


class RejectionRecord(Struct, frozen=True):
    """A refusal to keep; `raw` or, for large ones, `raw_blob` is the item as it was sent."""

    user_id: str
    rejection_id: str
    format: str
    key_id: str
    position: int | None
    faults: tuple[Fault, ...]
    raw: bytes
    raw_blob: str | None = None


class DocumentRecord(Struct, frozen=True):
    """A document to keep.

    Attributes:
        user_id, upload_id, type, data: as in `Document`.
        digest: of what was sent, when the `upload_id` is derived and may be taken already.
        otherwise: what to keep instead when it is taken with another digest.
    """

    user_id: str
    upload_id: str
    type: str
    data: bytes
    digest: bytes | None = None
    otherwise: RejectionRecord | None = None


Record = DocumentRecord | ImageRecord | BatchRecord | Attributes


class Entry(Struct, frozen=True):
    """A submission in the form in which it is written: all of it or nothing."""

    project: str
    request_id: str
    received_at: int
    records: tuple[Record, ...] = ()
    rejections: tuple[RejectionRecord, ...] = ()


class WrittenDocument(Struct, frozen=True):
    """What stands under an upload id now: `digest` is that of whoever came first."""

    digest: bytes | None
    new: bool


class WrittenImage(Struct, frozen=True):
    """Number and name under which an image stands now."""

    image_id: int
    name: str
    new: bool


Written = WrittenDocument | WrittenImage | None
"""What a store tells of a record it has written; nothing for samples and attributes."""


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


class KeptDocument(Struct, frozen=True):
    """A document as it is kept."""

    user_id: str
    upload_id: str
    type: str
    data: bytes
    received_at: int


class KeptImage(Struct, frozen=True):
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


class KeptRejection(Struct, frozen=True):
    """A refusal as it is kept."""

    record: RejectionRecord
    request_id: str
    received_at: int


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
    """A registered type of document; `schema` is JSON text."""

    name: str
    schema: str | None
    created_at: int


class Segment(Struct, frozen=True):
    """A filter over a project's users that has a name; `filter` is JSON text."""

    name: str
    filter: str
    created_at: int
    changed_at: int


class Profiles(Struct, frozen=True):
    """Users that were told the same attributes, column by column.

    Attributes:
        names: of the attributes; None where the users of `values` tell their own.
        user_ids: whose they are.
        first_seen, last_seen: moments, in the order of `user_ids`.
        values: JSON: for each user an array in the order of `names`, or an object by name.
    """

    names: tuple[str, ...] | None
    user_ids: list[str]
    first_seen: list[int]
    last_seen: list[int]
    values: bytes


class Change(Struct, frozen=True):
    """Users about whom something was kept, or who were erased, in one transaction.

    Attributes:
        change_id: tells it from every other.
        users: ids, each once.
        erased: `changes.erased_digest` of ids that are not to be named any more.
    """

    change_id: str
    users: list[str]
    erased: list[str]


class Changes(Struct, frozen=True):
    """What has changed in a project, and from where on to ask the next time."""

    next: int
    changes: list[Change]

"""What a commit writes, and what it returns: rows without behaviour.

Moments are microseconds since the epoch, times of samples are ticks (`uptake.time_units`).
"""

from typing import TypeGuard

from msgspec import Struct

from uptake.model.acting import Act
from uptake.model.items import Attributes
from uptake.model.shares import Part
from uptake.model.submission import Fault, Resolved
from uptake.samples.metrics import Metric
from uptake.store.definitions import FIRST_VERSION


class ImageRecord(Struct, frozen=True):
    """An image, of which the bytes are in the blob store already.

    Attributes:
        user_id: the image's user.
        upload_digest: SHA-256 of the bytes as uploaded; identifies the image among its user's.
        uploaded_bytes: size as uploaded.
        name: the last part of its URL.
        sha256: hexadecimal, of the bytes as stored and served.
        bytes: size of these.
        blob: their name in the blob store.
        media_type, width, height: of the picture.
        first_id: the number that it gets if it is the first image of its project.
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
    first_id: int = 1


class BatchRecord(Struct, frozen=True):
    """A batch of samples.

    Attributes:
        user_id, metric: as in `SampleBatch`.
        digest: of the columns.
        first, last: starts of its first and last sample.
        count: number of samples.
        columns: as encoded by `samples.columns.to_bytes`.
        received: number of samples received, repeats within the batch included.
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
    """A rejection; `raw` or, for large ones, `raw_blob` is the item as it was sent.

    A request that is rejected as a whole and is about several users has a record for each user, all
    with the same id (`model.shares`).

    Attributes:
        user_id: the user it is about; "" if none can be read.
        rejection_id: ids of one process are in the order of time.
        format: the endpoint's name.
        key_id: the key it was sent with.
        position: in its request; None for a request as a whole.
        faults: every reason.
        context: what else is needed to validate the item again (see `uptake.replay`).
        parts: the parts of the body in this record; None for all of it.
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
    """A document.

    Attributes:
        user_id, upload_id, type, data: as in `Document`.
        digest: of the request, if the `upload_id` is derived and may be taken already.
        otherwise: what to store instead if it is taken with another digest.
        version: the version of its type that it was validated against.
    """

    user_id: str
    upload_id: str
    type: str
    data: bytes
    digest: bytes | None = None
    otherwise: RejectionRecord | None = None
    version: int = FIRST_VERSION


Record = DocumentRecord | ImageRecord | BatchRecord | Attributes


class RequestError(Struct, frozen=True):
    """An error that was returned before any item of the request was validated.

    Attributes:
        status: of HTTP.
        code: of the problem.
        user_id: the user that its key is bound to; else "".
    """

    status: int
    code: str
    user_id: str = ""


class Outgoing(Struct, frozen=True):
    """A destination that items of an entry are sent to.

    Attributes:
        destination_id: its identity.
        kind: the kind of items: `samples`, `attributes`, `document` or `image`.
        types: the metrics or document types that are sent; empty for all.
    """

    destination_id: str
    kind: str
    types: tuple[str, ...] = ()

    def takes(self, kind: str, of_type: str) -> bool:
        """Whether an item is sent to it."""
        return kind == self.kind and (not self.types or of_type in self.types)


class Entry(Struct, frozen=True):
    """A submission as it is written: all of it or nothing.

    Attributes:
        project: the project of the data.
        request_id, received_at, format, key_id: of its request.
        records: the accepted items.
        rejections: the rejected items.
        resolves: the rejection that this entry replays.
        error: the error of a request without records and rejections.
        act: the actor that replays a rejection, for the audit log.
        ms: milliseconds from the arrival of the request to the begin of the transaction.
        outgoing: the destinations that accepted items are sent to.
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
    act: Act | None = None
    ms: int | None = None
    outgoing: tuple[Outgoing, ...] = ()


class WrittenDocument(Struct, frozen=True):
    """The document stored under an upload id; `digest` is that of the first one."""

    digest: bytes | None
    new: bool


class WrittenImage(Struct, frozen=True):
    """The number and name of a stored image."""

    image_id: int
    name: str
    new: bool


class Unchanged(Struct, frozen=True):
    """The batch, or each of the attributes, was stored already as it is."""


class Erased(Struct, frozen=True):
    """Nothing is stored: the user was erased and has not been readmitted."""


class NotStored(Struct, frozen=True):
    """Nothing of the entry is stored: a user would exceed the limits of attributes.

    Attributes:
        attributes: how many the record's user would have; 0 for the entry's other records.
        bytes: of their names and values.
    """

    attributes: int = 0
    bytes: int = 0


Written = WrittenDocument | WrittenImage | Unchanged | NotStored | Erased | None
"""What a commit returns for a record; None for samples and attributes that are new."""


def has_other_content(record: Record, written: Written) -> TypeGuard[DocumentRecord]:
    """Whether the upload id of a document is taken by a document with other content."""
    return (
        isinstance(record, DocumentRecord)
        and isinstance(written, WrittenDocument)
        and written.digest != record.digest
    )

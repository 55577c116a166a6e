"""Rejected items: how they are stored, and how they become items again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from uptake.blobs import Blobs, BlobSink, BlobsUnavailable
from uptake.intake.blob_keys import REJECTED, new_blob_key
from uptake.intake.images import UnusableImage
from uptake.model import ids
from uptake.model.items import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, Document, Image
from uptake.model.shares import TIED, Share, divide
from uptake.model.submission import Fault, Origin, Owners, Rejection, rejected
from uptake.store.base import Store
from uptake.store.records import NotStored, RejectionRecord, Written
from uptake.store.stored import StoredRejection

MAX_INLINE_RAW = 256 * 1024
"""Bytes up to which a rejected item is stored in its row; larger ones go to the blob store."""

MAX_INLINE_RAW_WHEN_BLOBS_DOWN = 4 * 1024 * 1024
"""The same, while the blob store cannot be reached: any JSON body, so that faults in one are
reported without that store."""

UNEXAMINED_PAGE = 50
"""Rejections read at a time, which have up to 4 MiB each if the blob store was down."""

ITEM, IDEMPOTENCY_KEY, TYPE, BOUND_USER = "item", "idempotency key", "type", "bound user"
"""Members of the context of an item that was rejected here: its kind, and parts of a document."""

FindUsers = Callable[[str, bytes, dict[str, str]], Owners]
"""Finds the users of a body, from the name of its operation and its context."""


class Rejections:
    """Turns rejections into the records that are stored.

    Args:
        blobs: where large rejected items are stored.
        user_hash: `ChangeFeed.user_hash`.
    """

    def __init__(self, blobs: BlobSink, user_hash: Callable[[str], str]) -> None:
        self._blobs = blobs
        self._user_hash = user_hash

    def records(self, rejection: Rejection, origin: Origin) -> list[RejectionRecord]:
        """A record for each user of a rejection; a single one if it has no user.

        Raises:
            BlobsUnavailable: a share is too large for its row.
        """
        rejection_id, context = ids.time_ordered(), rejection.context
        if rejection.index is None and ITEM not in context:
            context = origin.context
        if not rejection.user_ids and BOUND_USER in origin.context:
            # An API key that is bound to a user uploads for that user alone.
            rejection = replace(rejection, user_id=origin.context[BOUND_USER])
        records = []
        for share in divide(rejection):
            raw, blob = self._stored_raw(share, origin)
            records.append(
                RejectionRecord(
                    user_id=share.user_id,
                    rejection_id=rejection_id,
                    format=origin.format,
                    key_id=origin.key_id,
                    position=rejection.index,
                    faults=share.faults,
                    raw=raw,
                    raw_blob=blob,
                    context=context,
                    parts=share.parts,
                )
            )
        return records

    def _stored_raw(self, share: Share, origin: Origin) -> tuple[bytes, str | None]:
        """The bytes of a share that are stored in its row, and its key in the blob store."""
        # A body that is tied to several users cannot be stored under the key of one of them.
        if len(share.raw) <= MAX_INLINE_RAW or share.parts == TIED:
            return share.raw, None
        sha256 = hashlib.sha256(share.raw).hexdigest()
        blob = new_blob_key(REJECTED, origin.project, self._user_hash(share.user_id), sha256)
        try:
            self._blobs.put(blob, share.raw)
        except BlobsUnavailable:
            if len(share.raw) > MAX_INLINE_RAW_WHEN_BLOBS_DOWN:
                raise
            return share.raw, None
        return b"", blob


def unknown_type(name: str) -> Fault:
    """The fault of a document of an unregistered type."""
    return Fault("unknown_type", f"There is no document type {name!r} in this project", ("type",))


def with_type_fault(rejection: Rejection, types: Mapping[str, object | None]) -> Rejection:
    """A rejected document, with the fault of its type if that does not exist either."""
    name = rejection.document_type
    if name is None or types[name] is not None:
        return rejection
    return replace(rejection, faults=(unknown_type(name), *rejection.faults))


def rejected_document(item: Document, faults: Sequence[Fault]) -> Rejection:
    """The rejection of a document, with all that is needed to make the document again."""
    context = {ITEM: "document", TYPE: item.type}
    if item.idempotency_key is not None:
        context[IDEMPOTENCY_KEY] = item.idempotency_key
        if item.bound_user is not None:
            context[BOUND_USER] = item.bound_user
    return Rejection(
        tuple(faults), item.data, user_id=item.user_id, document_type=item.type, context=context
    )


def reused_key(item: Document) -> Rejection:
    """The rejection of a document because its Idempotency-Key was used for a different document."""
    message = "This Idempotency-Key was used with another body"
    fault = Fault("idempotency_key_reused", message, ("idempotency_key",))
    return rejected_document(item, [fault])


def rejected_image(item: Image, error: UnusableImage) -> Rejection:
    """The rejection of an image that cannot be cleaned."""
    fault = Fault(error.code, error.message)
    return Rejection((fault,), item.content, user_id=item.user_id, context={ITEM: "image"})


def item_from_rejection(rejection: Rejection) -> Document | Image | None:
    """The item of a rejection that was made here; None if a format rejected it."""
    match rejection.context.get(ITEM):
        case "document":
            context = rejection.context
            key, bound_user = context.get(IDEMPOTENCY_KEY), context.get(BOUND_USER)
            return Document(rejection.user_id, context[TYPE], rejection.raw, key, bound_user)
        case "image":
            return Image(rejection.user_id, rejection.raw)
    return None


def limit_faults(written: Sequence[Written]) -> list[Fault]:
    """The faults of items that exceed the limits of attributes."""
    return [
        Fault(
            "too_many_attributes",
            f"the user would have {outcome.attributes} attributes of {outcome.bytes} bytes;"
            f" at most {MAX_ATTRIBUTES} attributes of {MAX_ATTRIBUTE_BYTES} bytes are stored",
            ("items", index),
        )
        for index, outcome in enumerate(written)
        if isinstance(outcome, NotStored) and outcome.attributes
    ]


def examine(store: Store, blobs: Blobs, rejections: Rejections, find_users: FindUsers) -> int:
    """Find the users of rejections that an earlier version stored without them.

    Returns:
        The number of rejections that were examined.

    Raises:
        StoreUnavailable, BlobsUnavailable: some are left.
    """
    examined = 0
    for project in store.projects():
        while page := store.unexamined_rejections(project, UNEXAMINED_PAGE):
            for stored in page:
                old, records = _with_users(stored, project, blobs, rejections, find_users)
                store.replace_unexamined(project, stored, records)
                if old is not None and old not in {record.raw_blob for record in records}:
                    blobs.delete([old])
                examined += 1
    return examined


def _with_users(
    stored: StoredRejection,
    project: str,
    blobs: Blobs,
    rejections: Rejections,
    find_users: FindUsers,
) -> tuple[str | None, list[RejectionRecord]]:
    """The blob of a rejection, and its records under the users that are found."""
    record = stored.record
    blob = record.raw_blob
    raw = record.raw if blob is None else blobs.get(blob) or b""
    owners = find_users(record.format, raw, record.context)
    (rejection,) = rejected(list(record.faults), raw, owners).rejections
    origin = Origin(
        project,
        record.key_id,
        record.format,
        stored.request_id,
        stored.received_at,
        record.context,
    )
    return blob, [
        replace(one, rejection_id=record.rejection_id)
        for one in rejections.records(rejection, origin)
    ]

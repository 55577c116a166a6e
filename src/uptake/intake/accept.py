"""Every item of a submission judged, and made ready to be written.

Nothing here waits for the disk but image bytes, which are put into the blob store first: an image
whose row is committed always has its bytes, and bytes without a row harm nobody.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import structlog
from msgspec.structs import replace

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.intake.attribute_faults import limit_faults
from uptake.intake.images import CleanImage, UnusableImage, clean
from uptake.intake.places import IMAGES, REJECTED, blob_name
from uptake.intake.schemas import DocumentTypes, KnownType, Schema
from uptake.model import ids
from uptake.model.items import Attributes, Document, Image, Item, SampleBatch
from uptake.model.problems import Kinds, Problem
from uptake.model.shares import TIED, Share, divide
from uptake.model.submission import Fault, Owners, Rejection, Submission, rejected
from uptake.samples import columns
from uptake.store.base import StoreUnavailable
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    Record,
    RejectionRecord,
    Resolved,
    Written,
)

RAW_IN_ROW = 256 * 1024
"""Bytes up to which a rejected item is kept in its row; larger ones go to the blob store."""

RAW_IN_ROW_IN_NEED = 4 * 1024 * 1024
"""Bytes up to which it is, while the blob store cannot be reached: any JSON body, so that what is
wrong with one can be told without that store."""

_log = structlog.get_logger()


ITEM, IDEMPOTENCY_KEY, TYPE, BOUND_USER = "item", "idempotency key", "type", "bound user"
"""Of the context of an item that was rejected here: its kind, and what a document had besides."""


class Origin(msgspec.Struct, frozen=True):
    """Where a submission comes from.

    Attributes:
        project, key_id: of the key that was used.
        format: name of the operation.
        request_id: of the request.
        received_at: microseconds since the epoch.
        context: what must be known to judge the request again, should it be rejected as a whole.
        resolves: the rejection that this is the replay of.
    """

    project: str
    key_id: str
    format: str
    request_id: str
    received_at: int
    context: dict[str, str] = {}
    resolves: Resolved | None = None


class Judged(msgspec.Struct, frozen=True):
    """A submission ready to be committed.

    Attributes:
        entry: what to write.
        items, rejections: what to say once it is written.
        origin, raw, find_users: of the submission, should all of it be rejected as it is written.
    """

    entry: Entry
    items: tuple[Item, ...]
    rejections: tuple[Rejection, ...]
    origin: Origin
    raw: bytes = b""
    find_users: Callable[[bytes], Owners] | None = None


class Intake:
    """Judges submissions.

    Args:
        types: the document types.
        blobs: where large bytes are put.
        user_hash: `ChangeFeed.user_hash`.
    """

    def __init__(self, types: DocumentTypes, blobs: Blobs, user_hash: Callable[[str], str]) -> None:
        self._types = types
        self._blobs = blobs
        self._user_hash = user_hash

    def judge(
        self,
        submission: Submission,
        origin: Origin,
        clean: Callable[[bytes], CleanImage] = clean,
        *,
        quick: bool = False,
    ) -> Judged:
        """Decide on every item.

        Args:
            submission: what was sent.
            origin: where it comes from.
            clean: gives the cleaned image of an upload, or raises `UnusableImage`.
            quick: whether this runs on the event loop: neither asks the store for document types
                nor checks documents that may take long.

        Raises:
            Problem: `UNAVAILABLE`, when storage that is needed for it cannot be reached;
                `OVERLOADED`, when too many documents wait for a slow check.
            NotQuick: it is no work for the event loop, and nothing was done.
        """
        known = partial(self._types.remembered if quick else self._types.known, origin.project)
        check = Schema.quick if quick else Schema.__call__
        try:
            return self._judge(submission, origin, _Means(clean, known, check))
        except BlobsUnavailable as error:
            _log.error("blobs unavailable", reason=str(error), request_id=origin.request_id)
            raise Problem(Kinds.UNAVAILABLE) from error
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error

    def _judge(self, submission: Submission, origin: Origin, means: "_Means") -> Judged:
        records: list[Record] = []
        items: list[Item] = []
        rejections = [_with_type(rejection, means) for rejection in submission.rejections]
        for item in submission.items:
            outcome = item if isinstance(item, Attributes) else self._record(item, origin, means)
            if isinstance(outcome, Rejection):
                rejections.append(outcome)
            else:
                records.append(outcome)
                # Its bytes are kept by now, and need not wait in memory for the commit.
                items.append(replace(item, content=b"") if isinstance(item, Image) else item)
        stored = tuple(
            record for rejection in rejections for record in self.rejections(rejection, origin)
        )
        entry = Entry(
            origin.project,
            origin.request_id,
            origin.received_at,
            tuple(records),
            stored,
            origin.format,
            origin.key_id,
            origin.resolves,
        )
        raw, find_users = submission.raw, submission.find_users
        return Judged(entry, tuple(items), tuple(rejections), origin, raw, find_users)

    def beyond_limits(self, judged: Judged, written: Sequence[Written]) -> Judged:
        """The rejection of a submission that has `limit_faults`, to commit in its place.

        Raises:
            Problem: `UNAVAILABLE`, when the blob store is needed for it and cannot be reached.
        """
        if judged.find_users is None:
            owners = Owners(tuple({record.user_id for record in judged.entry.records}))
        else:
            owners = judged.find_users(judged.raw)
        return self.judge(rejected(limit_faults(written), judged.raw, owners), judged.origin)

    def _record(
        self,
        item: SampleBatch | Document | Image,
        origin: Origin,
        means: "_Means",
    ) -> Record | Rejection:
        match item:
            case SampleBatch():
                return _batch(item)
            case Document():
                return self._document(item, origin, means)
            case Image():
                return self._image(item, origin, means.clean)

    def _document(
        self, item: Document, origin: Origin, means: "_Means"
    ) -> DocumentRecord | Rejection:
        known = means.known(item.type)
        if known is None:
            return _rejection(item, [_unknown_type(item.type)])
        if known.schema and (faults := means.check(known.schema, item.data)):
            return _rejection(item, faults)
        if item.idempotency_key is None:
            upload_id = ids.time_ordered()
            return DocumentRecord(
                item.user_id, upload_id, item.type, item.data, version=known.version
            )
        return DocumentRecord(
            item.user_id,
            _upload_id(origin.project, item.idempotency_key, item.bound_user),
            item.type,
            item.data,
            _content_digest(item),
            self.rejections(key_reused(item), origin)[0],
            known.version,
        )

    def _image(
        self, item: Image, origin: Origin, clean: Callable[[bytes], CleanImage]
    ) -> ImageRecord | Rejection:
        try:
            image = clean(item.content)
        except UnusableImage as error:
            fault = Fault(error.code, error.message)
            return Rejection((fault,), item.content, user_id=item.user_id, context={ITEM: "image"})
        sha256 = hashlib.sha256(image.content).hexdigest()
        unchanged = image.content is item.content
        upload = bytes.fromhex(sha256) if unchanged else hashlib.sha256(item.content).digest()
        blob = blob_name(IMAGES, origin.project, self._user_hash(item.user_id), sha256)
        self._blobs.put(blob, image.content)
        return ImageRecord(
            user_id=item.user_id,
            upload_digest=upload,
            uploaded_bytes=len(item.content),
            name=f"{ids.new_token()}.{image.extension}",
            sha256=sha256,
            bytes=len(image.content),
            blob=blob,
            media_type=image.media_type,
            width=image.width,
            height=image.height,
        )

    def rejections(self, rejection: Rejection, origin: Origin) -> list[RejectionRecord]:
        """What is stored of a rejection: a record for each user that it is about."""
        rejection_id, context = ids.time_ordered(), rejection.context
        if rejection.index is None and ITEM not in context:
            context = origin.context
        if not rejection.user_ids and BOUND_USER in origin.context:
            # An API key that is bound to a user sends nothing about anybody else.
            rejection = replace(rejection, user_id=origin.context[BOUND_USER])
        records = []
        for share in divide(rejection):
            raw, blob = self._put_aside(share, origin)
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

    def _put_aside(self, share: Share, origin: Origin) -> tuple[bytes, str | None]:
        """What of a share is stored in its row, and under which name the blob store has it."""
        # A body that is tied to several users is under none of them in the blob store.
        if len(share.raw) <= RAW_IN_ROW or share.parts == TIED:
            return share.raw, None
        sha256 = hashlib.sha256(share.raw).hexdigest()
        blob = blob_name(REJECTED, origin.project, self._user_hash(share.user_id), sha256)
        try:
            self._blobs.put(blob, share.raw)
        except BlobsUnavailable:
            if len(share.raw) > RAW_IN_ROW_IN_NEED:
                raise
            return share.raw, None
        return b"", blob


@dataclass(frozen=True, slots=True)
class _Means:
    """How images are cleaned, document types found, and documents checked."""

    clean: Callable[[bytes], CleanImage]
    known: Callable[[str], KnownType | None]
    check: Callable[[Schema, bytes], list[Fault]]


def _with_type(rejection: Rejection, means: _Means) -> Rejection:
    """A rejected document, with the fault of its type where that is unknown too."""
    name = rejection.document_type
    if name is None or means.known(name) is not None:
        return rejection
    return replace(rejection, faults=(_unknown_type(name), *rejection.faults))


def _batch(item: SampleBatch) -> BatchRecord:
    encoded = columns.to_bytes(item.columns)
    start = item.columns.start
    return BatchRecord(
        item.user_id,
        item.metric,
        columns.digest(encoded),
        int(start[0]),
        int(start[-1]),
        len(start),
        encoded,
        item.received,
    )


def _unknown_type(name: str) -> Fault:
    return Fault("unknown_type", f"There is no document type {name!r} in this project", ("type",))


def _upload_id(project: str, idempotency_key: str, bound_user: str | None) -> str:
    """The id of the upload with an idempotency key; a bound API key has its user's namespace."""
    if bound_user is None:
        return ids.derived("upload", project, idempotency_key)
    return ids.derived("upload of a bound key", project, bound_user, idempotency_key)


def _rejection(item: Document, faults: Sequence[Fault]) -> Rejection:
    context = {ITEM: "document", TYPE: item.type}
    if item.idempotency_key is not None:
        context[IDEMPOTENCY_KEY] = item.idempotency_key
        if item.bound_user is not None:
            context[BOUND_USER] = item.bound_user
    return Rejection(
        tuple(faults), item.data, user_id=item.user_id, document_type=item.type, context=context
    )


def item_again(rejection: Rejection) -> Document | Image | None:
    """The item that was rejected here; None for what a format has rejected."""
    match rejection.context.get(ITEM):
        case "document":
            context = rejection.context
            key, bound_user = context.get(IDEMPOTENCY_KEY), context.get(BOUND_USER)
            return Document(rejection.user_id, context[TYPE], rejection.raw, key, bound_user)
        case "image":
            return Image(rejection.user_id, rejection.raw)
    return None


def key_reused(item: Document) -> Rejection:
    """The rejection of a document whose Idempotency-Key belongs to another."""
    message = "This Idempotency-Key was used with another body"
    return _rejection(item, [Fault("idempotency_key_reused", message, ("idempotency_key",))])


def _content_digest(item: Document) -> bytes:
    """What makes two uploads the same: user, type and data, however the JSON is laid out."""
    data = msgspec.json.encode(msgspec.json.decode(item.data), order="sorted")
    return hashlib.sha256(b"\0".join([item.user_id.encode(), item.type.encode(), data])).digest()

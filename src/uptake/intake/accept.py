"""Accepts a submission: validates it, commits it, and returns its receipt.

Uploads and replays call `Intake.accept`, which runs the stages in order. Image bytes are stored
before the commit, so a committed row of an image always has its bytes.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final, Protocol, TypeVar

import msgspec
import structlog

from uptake.blobs import BlobSink, BlobsUnavailable
from uptake.intake.blob_keys import IMAGES, new_blob_key
from uptake.intake.commit import Committer
from uptake.intake.images import CleanImage, UnusableImage
from uptake.intake.images.pool import ImagePool
from uptake.intake.rejections import (
    Rejections,
    limit_faults,
    rejected_document,
    rejected_image,
    reused_key,
    unknown_type,
    with_type_fault,
)
from uptake.intake.schemas import STALE, DocumentTypes, KnownType, NeedsWorker, Schema
from uptake.model import ids
from uptake.model.items import Attributes, Document, Image, SampleBatch
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import (
    Receipt,
    Stored,
    StoredAttributes,
    StoredDocument,
    StoredImage,
    StoredSamples,
)
from uptake.model.submission import Fault, Origin, Owners, Rejection, Submission, rejected
from uptake.samples import columns
from uptake.store.base import StoreUnavailable
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    Outgoing,
    Record,
    Written,
    WrittenImage,
    has_other_content,
)
from uptake.store.stored import Committed, StoredReceipt

Result = TypeVar("Result")
Types = Mapping[str, KnownType | None]
Images = Iterable[Future[CleanImage]]

_NO_TYPES: Final[Types] = {}
_log = structlog.get_logger()


class Work(Protocol):
    """Runs the stages of `Intake.accept` that wait for a disk, a database or a processor.

    Attributes:
        inline: whether the submission is small enough to be validated where `accept` is called.
    """

    inline: bool

    def look_up(self, types: DocumentTypes, project: str, name: str) -> Awaitable[KnownType | None]:
        """Run `types.known`."""

    def image(self, image: Future[CleanImage]) -> Awaitable[None]:
        """Wait until an image is cleaned or rejected."""

    def run(self, work: Callable[[], Result], *, slow: bool = False) -> Awaitable[Result]:
        """Run a stage to its end; `slow` for one that waits for schema workers."""

    def committed(self, commit: Future[Committed]) -> Awaitable[Committed]:
        """Wait until an entry is durable."""


class BlockingWork:
    """Runs every stage in the calling thread."""

    inline = False

    async def look_up(self, types: DocumentTypes, project: str, name: str) -> KnownType | None:
        """See `Work.look_up`."""
        return types.known(project, name)

    async def image(self, image: Future[CleanImage]) -> None:
        """See `Work.image`; `validate` waits for the result."""

    async def run(self, work: Callable[[], Result], *, slow: bool = False) -> Result:  # noqa: ARG002
        """See `Work.run`."""
        return work()

    async def committed(self, commit: Future[Committed]) -> Committed:
        """See `Work.committed`."""
        return commit.result()


class ValidatedSubmission(msgspec.Struct, frozen=True):
    """A submission that is ready to be committed.

    Attributes:
        entry: the rows to write.
        rejections: the rejected items.
        raw, find_users: of the submission, which is rejected as a whole if the commit finds that it
            exceeds the limits of attributes.
    """

    entry: Entry
    rejections: tuple[Rejection, ...]
    raw: bytes = b""
    find_users: Callable[[bytes], Owners] | None = None


class Intake:
    """Accepts submissions.

    Args:
        types: the document types.
        images: cleans images.
        blobs: where large bytes are stored.
        commit: writes entries.
        user_hash: `ChangeFeed.user_hash`.
    """

    def __init__(
        self,
        types: DocumentTypes,
        images: ImagePool,
        blobs: BlobSink,
        commit: Committer,
        user_hash: Callable[[str], str],
    ) -> None:
        self._types = types
        self._images = images
        self._blobs = blobs
        self._commit = commit
        self._user_hash = user_hash
        self._outgoing: Mapping[tuple[str, str], tuple[Outgoing, ...]] = {}
        self.rejections = Rejections(blobs, user_hash)

    async def accept(self, submission: Submission, origin: Origin, work: Work) -> Receipt:
        """Validate a submission, store it, and return the outcome of each item.

        A replay that is rejected again is not stored: its rejection exists already.

        Raises:
            Problem: nothing is stored. `UNAVAILABLE`: storage cannot be reached; `OVERLOADED`: too
                much work is waiting; `ERASED`: all users of the submission were erased.
        """
        with self._commit.arriving:
            validated = await self._validated(submission, origin, work)
            # The bytes of an image do not wait in memory for the commit.
            del submission
        if origin.resolves and not validated.entry.records:
            return Receipt(origin.received_at, (), validated.rejections, committed=False)
        committed = await work.committed(self._commit.submit(validated.entry))
        if committed.receipt is None:
            rejection = await work.run(partial(_beyond_limits, validated, committed))
            return await self.accept(rejection, origin, work)
        return _receipt(validated, committed.written, committed.receipt)

    def send_to(self, outgoing: Mapping[tuple[str, str], tuple[Outgoing, ...]]) -> None:
        """Set the destinations of accepted items, by project and format."""
        self._outgoing = outgoing

    def accept_blocking(self, submission: Submission, origin: Origin) -> Receipt:
        """`accept`, for a thread that may wait."""
        stages = self.accept(submission, origin, BlockingWork())
        try:
            stages.send(None)
        except StopIteration as finished:
            receipt: Receipt = finished.value
            return receipt
        raise RuntimeError("a stage suspends, which none of BlockingWork does")

    async def _validated(
        self, submission: Submission, origin: Origin, work: Work
    ) -> ValidatedSubmission:
        types: dict[str, KnownType | None] = {}
        for name in submission.document_types:
            known = self._types.cached(origin.project, name)
            if known is STALE:
                try:
                    known = await work.look_up(self._types, origin.project, name)
                except StoreUnavailable as error:
                    raise Problem(Kinds.UNAVAILABLE) from error
            types[name] = known
        try:
            if work.inline:
                return self.validate(submission, origin, types)
            images = []
            for item in submission.items:
                if isinstance(item, Image):
                    images.append(self._images.clean(origin.key_id, item.content))
                    await work.image(images[-1])
            return await work.run(partial(self.validate, submission, origin, types, images))
        except NeedsWorker:
            slow = partial(self.validate, submission, origin, types, in_worker=True)
            return await work.run(slow, slow=True)

    def validate(
        self,
        submission: Submission,
        origin: Origin,
        types: Types = _NO_TYPES,
        images: Images = (),
        *,
        in_worker: bool = False,
    ) -> ValidatedSubmission:
        """Validate every item, and store the bytes that do not go into rows.

        Args:
            submission: what was sent.
            origin: where it comes from.
            types: the document types that it names; None for one that does not exist.
            images: its cleaned images, in order.
            in_worker: whether schema workers check documents that may take long.

        Raises:
            Problem: `UNAVAILABLE`: the blob store is needed and cannot be reached; `OVERLOADED`:
                no schema worker is free in time.
            NeedsWorker: a document may take long, and `in_worker` is not set.
        """
        check = Schema.__call__ if in_worker else Schema.check_inline
        cleaned = iter(images)
        records: list[Record] = []
        rejections = [with_type_fault(rejection, types) for rejection in submission.rejections]
        try:
            for item in submission.items:
                outcome: Record | Rejection
                match item:
                    case Attributes():
                        outcome = item
                    case SampleBatch():
                        outcome = _batch(item)
                    case Document():
                        outcome = self._document(item, origin, types[item.type], check)
                    case Image():
                        outcome = self._image(item, origin, next(cleaned))
                if isinstance(outcome, Rejection):
                    rejections.append(outcome)
                else:
                    records.append(outcome)
            # A replay that is rejected again is not committed.
            rejected_again = origin.resolves is not None and not records
            stored = [
                record
                for rejection in (() if rejected_again else rejections)
                for record in self.rejections.records(rejection, origin)
            ]
        except BlobsUnavailable as error:
            _log.error("blobs unavailable", reason=str(error), request_id=origin.request_id)
            raise Problem(Kinds.UNAVAILABLE) from error
        request = origin.project, origin.request_id, origin.received_at
        items, sender = (tuple(records), tuple(stored)), (origin.format, origin.key_id)
        to = self._outgoing.get((origin.project, origin.format), ())
        entry = Entry(*request, *items, *sender, origin.resolves, act=origin.act, outgoing=to)
        return ValidatedSubmission(entry, tuple(rejections), submission.raw, submission.find_users)

    def _document(
        self,
        item: Document,
        origin: Origin,
        known: KnownType | None,
        check: Callable[[Schema, bytes], list[Fault]],
    ) -> DocumentRecord | Rejection:
        if known is None:
            return rejected_document(item, [unknown_type(item.type)])
        if known.schema and (faults := check(known.schema, item.data)):
            return rejected_document(item, faults)
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
            self.rejections.records(reused_key(item), origin)[0],
            known.version,
        )

    def _image(
        self, item: Image, origin: Origin, cleaned: Future[CleanImage]
    ) -> ImageRecord | Rejection:
        try:
            image = cleaned.result()
        except UnusableImage as error:
            return rejected_image(item, error)
        sha256 = hashlib.sha256(image.content).hexdigest()
        unchanged = image.content is item.content
        upload = bytes.fromhex(sha256) if unchanged else hashlib.sha256(item.content).digest()
        blob = new_blob_key(IMAGES, origin.project, self._user_hash(item.user_id), sha256)
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
            first_id=origin.first_image_id,
        )


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


def _upload_id(project: str, idempotency_key: str, bound_user: str | None) -> str:
    """The id of the upload with an idempotency key; a bound API key has its user's namespace."""
    if bound_user is None:
        return ids.derived("upload", project, idempotency_key)
    return ids.derived("upload of a bound key", project, bound_user, idempotency_key)


def _content_digest(item: Document) -> bytes:
    """What makes two uploads the same: user, type and data, however the JSON is laid out."""
    data = msgspec.json.encode(msgspec.json.decode(item.data), order="sorted")
    return hashlib.sha256(b"\0".join([item.user_id.encode(), item.type.encode(), data])).digest()


def _beyond_limits(validated: ValidatedSubmission, committed: Committed) -> Submission:
    """The rejection of a submission that exceeds the limits of attributes."""
    if validated.find_users is None:
        owners = Owners(tuple({record.user_id for record in validated.entry.records}))
    else:
        owners = validated.find_users(validated.raw)
    return rejected(limit_faults(committed.written), validated.raw, owners)


def _receipt(
    validated: ValidatedSubmission, written: Sequence[Written], receipt: StoredReceipt
) -> Receipt:
    """The outcome of each item, derived from the receipt that is stored.

    Raises:
        Problem: `ERASED`, if nothing is stored because the users were erased.
    """
    records = validated.entry.records
    images = (
        StoredImage(image.image_id, image.name, record.uploaded_bytes)
        for record, image in zip(records, written, strict=True)
        if isinstance(record, ImageRecord) and isinstance(image, WrittenImage)
    )
    stored: list[Stored] = []
    for item in receipt.items:
        match item.kind:
            case "samples":
                stored.append(StoredSamples(item.count))
            case "attributes":
                attributes = tuple(one for one in records if isinstance(one, Attributes))
                stored.append(StoredAttributes(item.count, attributes))
            case "document":
                stored.append(StoredDocument(item.reference, replayed=item.repeated))
            case "image":
                stored.append(next(images))
    if receipt.items and not stored:
        raise Problem(Kinds.ERASED)
    rejections = validated.rejections
    if receipt.rejected is not None:
        rejections += tuple(
            Rejection(record.otherwise.faults, record.data, user_id=record.user_id)
            for record, outcome in zip(records, written, strict=True)
            if has_other_content(record, outcome) and record.otherwise
        )
    return Receipt(receipt.received_at, tuple(stored), rejections, receipt.duplicates)

"""Rejections with their reasons, and the outcome of every item of a request."""

from collections.abc import Callable
from typing import Literal, NotRequired, TypedDict

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from uptake.blobs import Blobs
from uptake.model import clock
from uptake.model.problems import Kinds
from uptake.model.shares import TIED, join
from uptake.model.submission import Fault
from uptake.reading import Page, Unknown, Uuid
from uptake.reading.bounds import Listing
from uptake.store.base import RejectionQueries
from uptake.store.records import RejectionRecord
from uptake.store.stored import ReceiptItem, RejectionFilter, StoredReceipt, StoredRejection

MAX_REJECTED = 1000
"""Rejections returned with a receipt: as many as the largest request has items."""


class Rejection(Struct, frozen=True, kw_only=True):
    """A rejected item, or a rejected request as a whole.

    Attributes:
        rejection_id: its id.
        request_id: the request that contained it.
        received_at: RFC 3339.
        format: the endpoint.
        key_id: the API key.
        user_id: the user it is about; null if no user can be read, or several.
        user_ids: all users it is about.
        index: its position in the request; null for a request as a whole.
        faults: all reasons.
        resolved_by: the request that replayed it, if any.
    """

    rejection_id: str
    request_id: str
    received_at: str
    format: str
    key_id: str
    user_id: str | None
    user_ids: tuple[str, ...]
    index: int | None
    faults: tuple[Fault, ...]
    resolved_by: str | None


class RawRejection(Rejection, frozen=True, kw_only=True):
    """A rejection with the item as it was sent.

    Attributes:
        item: the item, if it is JSON; else null.
        raw_base64: the bytes of an item that is not JSON; else null.
    """

    item: msgspec.Raw | None
    raw_base64: bytes | None


class RejectionPage(Struct, frozen=True):
    """Rejections in the order in which they were received."""

    rejections: list[Rejection]
    next: str | None


class ItemOutcome(TypedDict):
    """What became of consecutive items: their number, and for one item what it is stored as."""

    kind: Literal["document", "image", "samples", "attributes", "erased"]
    count: int
    upload_id: NotRequired[str]
    image_id: NotRequired[int]
    replayed: NotRequired[bool]


class Outcomes(Struct, frozen=True, kw_only=True):
    """The outcome of every item of one request.

    Attributes:
        received_at: RFC 3339.
        format: the endpoint.
        key_id: the API key.
        user_id: the user it is about; null if there are several or none.
        status: the HTTP status of the response.
        code: the problem code of the response if the items were not validated or not stored; else
            null.
        accepted: the number of stored items.
        duplicates: how many of them were stored before and changed nothing.
        items: the accepted items, and the `erased` items of erased users; consecutive items with
            the same outcome are one entry.
        rejected: the rejected items.
    """

    received_at: str
    format: str
    key_id: str
    user_id: str | None
    status: int
    code: str | None
    accepted: int
    duplicates: int
    items: list[ItemOutcome]
    rejected: list[Rejection]


class Receipts(Struct, frozen=True):
    """The outcome of a request, or of all requests that were sent with the same id."""

    request_id: str
    submissions: list[Outcomes]


def page(store: RejectionQueries, project: str, only: RejectionFilter, page: Page) -> RejectionPage:
    """Return a page of rejections.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=lambda after, count: [
            _view(one) for one in store.rejections(project, after, count, only)
        ],
        key=lambda one: one.rejection_id,
        size=lambda one: len(msgspec.json.encode(one)),
        cursor_type=Uuid,
        start="",
    )
    return RejectionPage(*listing.page(page))


def rejection(
    store: RejectionQueries,
    blobs: Blobs,
    project: str,
    rejection_id: str,
    user_id: str | None = None,
) -> RawRejection:
    """Return a rejection with the item as it was sent, or the share of `user_id` in it.

    Raises:
        Unknown: the rejection does not exist.
        BlobsUnavailable: the item cannot be read.
    """
    stored = store.rejection(project, rejection_id)
    if stored is None:
        raise Unknown("rejection", rejection_id)
    own = next((record for record in stored.records if record.user_id == user_id), None)
    if own is not None:
        stored = replace(stored, record=own, others=())
    raw = body(blobs, stored)
    item = as_json(raw)
    view = msgspec.structs.asdict(_view(stored))
    return RawRejection(**view, item=item, raw_base64=raw if item is None else None)


def body(blobs: Blobs, stored: StoredRejection) -> bytes:
    """Return the item as it was sent, without the shares of users who were erased since.

    One user's share of a body that cannot be divided is empty.

    Raises:
        BlobsUnavailable: the item cannot be read.
    """
    if len(stored.records) == 1 and stored.record.parts == TIED:
        return b""
    return join([(raw_of(blobs, record), record.parts) for record in stored.records])


def raw_of(blobs: Blobs, record: RejectionRecord) -> bytes:
    """Return the bytes that are stored for one user.

    Raises:
        BlobsUnavailable: they cannot be read.
    """
    return record.raw if record.raw_blob is None else blobs.get(record.raw_blob) or b""


StatusOf = Callable[[str, int, int], int]
"""Returns the HTTP status of an endpoint for these numbers of accepted and rejected items."""


def receipts(
    store: RejectionQueries, project: str, request_id: str, status_of: StatusOf
) -> Receipts:
    """Return the outcome of a request.

    Args:
        store: where its receipt is.
        project: of its API key; the default project for requests without a valid key.
        request_id: its id.
        status_of: returns the status of an endpoint's response.

    Raises:
        Unknown: no request has this id.
    """
    found = store.receipts(project, request_id)
    if not found:
        raise Unknown("request", request_id)
    return Receipts(
        request_id, [_outcomes(store, project, receipt, status_of) for receipt in found]
    )


def _outcomes(
    store: RejectionQueries, project: str, receipt: StoredReceipt, status_of: StatusOf
) -> Outcomes:
    rejected: list[StoredRejection] = []
    if receipt.rejected is not None:
        first, last = receipt.rejected
        only = RejectionFilter(
            request_id=receipt.request_id,
            since=receipt.received_at,
            until=receipt.received_at + 1,
        )
        # A truncated id sorts immediately before the id itself.
        found = store.rejections(project, first[:-1], MAX_REJECTED, only)
        rejected = [one for one in found if first <= one.record.rejection_id <= last]
    accepted = sum(item.count for item in receipt.items if item.kind != "erased")
    status, code = receipt.status, receipt.code
    if not status and not accepted and any(item.kind == "erased" for item in receipt.items):
        status, code = Kinds.ERASED.value.status, Kinds.ERASED.value.code
    return Outcomes(
        received_at=clock.iso(receipt.received_at),
        format=receipt.format,
        key_id=receipt.key_id,
        user_id=receipt.user_id or None,
        status=status or status_of(receipt.format, accepted, int(receipt.rejected is not None)),
        code=code or None,
        accepted=accepted,
        duplicates=receipt.duplicates,
        items=[_item(item) for item in receipt.items],
        rejected=[_view(one) for one in rejected],
    )


def _item(item: ReceiptItem) -> ItemOutcome:
    members = ItemOutcome(kind=item.kind, count=item.count)
    if item.kind == "document":
        members |= {"upload_id": item.reference, "replayed": item.repeated}
    if item.kind == "image":
        members |= {"image_id": int(item.reference), "replayed": item.repeated}
    return members


def _view(stored: StoredRejection) -> Rejection:
    record, user_ids = stored.record, stored.user_ids
    return Rejection(
        rejection_id=record.rejection_id,
        request_id=stored.request_id,
        received_at=clock.iso(stored.received_at),
        format=record.format,
        key_id=record.key_id,
        user_id=user_ids[0] if len(user_ids) == 1 else None,
        user_ids=user_ids,
        index=record.position,
        faults=stored.faults,
        resolved_by=stored.resolved_by,
    )


def as_json(raw: bytes) -> msgspec.Raw | None:
    """Return an item as JSON; None if it is not JSON."""
    try:
        raw.decode()
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(raw)

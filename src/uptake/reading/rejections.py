"""What was rejected and why, and what became of every item of a request."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from uptake.blobs import Blobs
from uptake.model import clock
from uptake.model.problems import Kinds
from uptake.model.shares import TIED, join
from uptake.model.submission import Fault
from uptake.reading import Unknown, Uuid, from_cursor, to_cursor
from uptake.reading.bounds import page_of
from uptake.store.base import RejectionQueries
from uptake.store.records import RejectionRecord
from uptake.store.stored import ReceiptItem, RejectionFilter, StoredReceipt, StoredRejection

TOLD_AT_MOST = 1000
"""Rejections told with a receipt: as many as the largest request has items."""


class Rejection(Struct, frozen=True, kw_only=True):
    """An item, or a whole request, that was rejected.

    Attributes:
        rejection_id: its id.
        request_id: the request it came with.
        received_at: RFC 3339.
        format: the endpoint it was sent to.
        key_id: the key it was sent with.
        user_id: the user it is about; null where none can be read, or there are several.
        user_ids: all users it is about.
        index: its position in the request; null for a request as a whole.
        faults: every reason.
        resolved_by: the request that replayed it, once there was one.
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
        item: the item, where it is JSON.
        raw_base64: its bytes, where it is not.
    """

    item: msgspec.Raw | None
    raw_base64: bytes | None


class RejectionPage(Struct, frozen=True):
    """Rejections in the order in which they were received."""

    rejections: list[Rejection]
    next: str | None


class Outcomes(Struct, frozen=True, kw_only=True):
    """What became of every item of one request.

    Attributes:
        received_at: RFC 3339.
        format: the endpoint it was sent to.
        key_id: the key it was sent with.
        user_id: whom it is about, where that is one user.
        status: of the answer.
        code: of the problem it was answered with, if its items were not looked at or not stored;
            else null.
        accepted: how many items are kept.
        duplicates: how many of them changed nothing, because they were stored already.
        items: the accepted ones, and the `erased` of users who are kept out; neighbours of which
            the same is to be told stand together.
        rejected: the rejected ones.
    """

    received_at: str
    format: str
    key_id: str
    user_id: str | None
    status: int
    code: str | None
    accepted: int
    duplicates: int
    items: list[dict[str, Any]]
    rejected: list[Rejection]


class Receipts(Struct, frozen=True):
    """What became of a request, or of each of several where their sender gave them one id."""

    request_id: str
    submissions: list[Outcomes]


def page(
    store: RejectionQueries, project: str, *, only: RejectionFilter, cursor: str | None, limit: int
) -> RejectionPage:
    """Rejections, at most `limit` of them and as many as fit, from a cursor on.

    Raises:
        BadCursor: the cursor was not given by this server.
    """
    after: str = from_cursor(cursor, Uuid) if cursor else ""
    shown, following = page_of(
        lambda place, count: [
            _view(kept) for kept in store.rejections(project, place, count, only)
        ],
        after,
        lambda one: one.rejection_id,
        lambda one: len(msgspec.json.encode(one)),
        limit,
    )
    return RejectionPage(shown, None if following is None else to_cursor(following))


def rejection(
    store: RejectionQueries,
    blobs: Blobs,
    project: str,
    rejection_id: str,
    user_id: str | None = None,
) -> RawRejection:
    """A rejection with the item as it was sent; of one that is about `user_id`, that user's share.

    Raises:
        Unknown: there is none of that id.
        BlobsUnavailable: the item cannot be read now.
    """
    kept = store.rejection(project, rejection_id)
    if kept is None:
        raise Unknown(rejection_id)
    own = next((record for record in kept.records if record.user_id == user_id), None)
    if own is not None:
        kept = replace(kept, record=own, others=())
    raw = body(blobs, kept)
    item = as_json(raw)
    view = msgspec.structs.asdict(_view(kept))
    return RawRejection(**view, item=item, raw_base64=raw if item is None else None)


def body(blobs: Blobs, kept: StoredRejection) -> bytes:
    """The item as it was sent, without the pieces of users who were erased since.

    One user's share of a body that cannot be divided is empty.

    Raises:
        BlobsUnavailable: it cannot be read now.
    """
    if len(kept.records) == 1 and kept.record.parts == TIED:
        return b""
    return join([(raw_of(blobs, record), record.parts) for record in kept.records])


def raw_of(blobs: Blobs, record: RejectionRecord) -> bytes:
    """What is stored of an item under one user.

    Raises:
        BlobsUnavailable: it cannot be read now.
    """
    return record.raw if record.raw_blob is None else blobs.get(record.raw_blob) or b""


StatusOf = Callable[[str, int, int], int]
"""The status with which an endpoint answers about so many accepted and rejected items."""


def receipts(
    store: RejectionQueries, project: str, request_id: str, status_of: StatusOf
) -> Receipts:
    """What became of a request.

    Args:
        store: where its receipt is.
        project: of its key; that of requests without a known key is the default one.
        request_id: its id.
        status_of: knows the endpoints.

    Raises:
        Unknown: there is none of that id.
    """
    found = store.receipts(project, request_id)
    if not found:
        raise Unknown(request_id)
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
        # An id cut short stands before the id itself.
        found = store.rejections(project, first[:-1], TOLD_AT_MOST, only)
        rejected = [kept for kept in found if first <= kept.record.rejection_id <= last]
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
        items=[_told(item) for item in receipt.items],
        rejected=[_view(kept) for kept in rejected],
    )


def _told(item: ReceiptItem) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": item.kind, "count": item.count}
    if item.kind == "document":
        told |= {"upload_id": item.reference, "replayed": item.repeated}
    if item.kind == "image":
        told |= {"image_id": int(item.reference), "replayed": item.repeated}
    return told


def _view(kept: StoredRejection) -> Rejection:
    record, user_ids = kept.record, kept.user_ids
    return Rejection(
        rejection_id=record.rejection_id,
        request_id=kept.request_id,
        received_at=clock.iso(kept.received_at),
        format=record.format,
        key_id=record.key_id,
        user_id=user_ids[0] if len(user_ids) == 1 else None,
        user_ids=user_ids,
        index=record.position,
        faults=kept.faults,
        resolved_by=kept.resolved_by,
    )


def as_json(raw: bytes) -> msgspec.Raw | None:
    """An item as the JSON that it is, or None when it is none."""
    try:
        raw.decode()
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(raw)

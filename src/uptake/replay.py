"""Replays rejections, after their schema or the item itself was corrected.

A replay is accepted as every upload is, with a receipt of its own. The same transaction marks its
rejection as resolved, so it counts once.
"""

import msgspec
from msgspec.structs import replace

from uptake.blobs import BlobsUnavailable
from uptake.formats.base import WireRequest
from uptake.formats.redecode import object_fault, redecode
from uptake.formats.registry import UPLOADS
from uptake.intake.rejections import item_from_rejection
from uptake.model import acting, clock
from uptake.model.items import Document, Item
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Origin, Rejection, Resolved, Submission
from uptake.reading import Page, Unknown, rejections
from uptake.store.stored import RejectionFilter, StoredRejection
from uptake.wiring import Services


class Actor(msgspec.Struct, frozen=True):
    """Who replays: an API key of a project, and the user that the key is bound to, if any.

    A bound key replays only rejections of its user, and only items of its user.
    """

    project: str
    key_id: str
    user: str | None = None


class Replayed(msgspec.Struct, frozen=True):
    """The outcome of a replay.

    Attributes:
        rejection_id: the rejection that was replayed.
        outcome: `accepted`, in full or in part; `refused`, when it was rejected again and nothing
            changed; `resolved`, when an earlier replay succeeded.
        request_id: the request id of the receipt; null after a dry run.
        faults: why the item, or a part of it, was rejected again.
    """

    rejection_id: str
    outcome: str
    request_id: str | None = None
    faults: tuple[Fault, ...] = ()


class Replays(msgspec.Struct, frozen=True):
    """The outcomes of several replays, in the order in which their items were rejected."""

    replays: list[Replayed]
    next: str | None


def replay_page(  # noqa: PLR0913 - which rejections, for which key, and how
    services: Services,
    actor: Actor,
    wire: WireRequest,
    only: RejectionFilter,
    page: Page,
    *,
    dry_run: bool = False,
) -> Replays:
    """Replay a page of rejections, each as it was uploaded. For `dry_run`, see `replay`.

    Raises:
        BadCursor: the cursor is not one of this server's.
        Problem: storage cannot be reached.
        StoreUnavailable: as of the store.
    """
    found = rejections.page(services.store, actor.project, only, page)
    replays = [
        # Each has its own moment, as they share a request id.
        replay(
            services,
            actor,
            rejection.rejection_id,
            replace(wire, received_at=clock.now()),
            dry_run=dry_run,
        )
        for rejection in found.rejections
    ]
    return Replays(replays, found.next)


def replay(
    services: Services,
    actor: Actor,
    rejection_id: str,
    wire: WireRequest,
    *,
    dry_run: bool = False,
) -> Replayed:
    """Replay a rejection, with the body of `wire` in place of the item if it has one.

    A dry run returns what the outcome would be, and stores nothing.

    Raises:
        Unknown: there is no such rejection.
        Problem: storage cannot be reached, the operation's `decode` raises it, or the key is bound
            to a user other than that of the rejection or the item.
        StoreUnavailable: as of the store.
    """
    stored = services.store.rejection(actor.project, rejection_id)
    if stored is None:
        raise Unknown("rejection", rejection_id)
    _permit(actor, set(stored.user_ids) or {""})
    if stored.resolved_by is not None:
        return Replayed(rejection_id, "resolved", stored.resolved_by)
    submission = _submission(_rejection(services, stored, wire.body), stored, wire)
    _permit(actor, submission.user_ids)
    operation = UPLOADS.get(stored.record.format)  # None if its vendor is not installed any more
    origin = Origin(
        actor.project,
        actor.key_id,
        stored.record.format,
        wire.request_id,
        wire.received_at,
        stored.record.context,
        Resolved(rejection_id, tuple(record.user_id for record in stored.records)),
        1 if operation is None else operation.first_image_id,
        acting.current(),
    )
    intake = services.rehearsal if dry_run else services.intake
    receipt = intake.accept_blocking(submission, origin)
    faults = tuple(fault for rejection in receipt.rejections for fault in rejection.faults)
    if not receipt.committed:
        return Replayed(rejection_id, "refused", None, faults)
    return Replayed(rejection_id, "accepted", None if dry_run else wire.request_id, faults)


def _permit(actor: Actor, user_ids: set[str]) -> None:
    if actor.user is not None and user_ids - {actor.user}:
        raise Problem(Kinds.FORBIDDEN, "The key is bound to another user")


def _rejection(services: Services, stored: StoredRejection, corrected: bytes) -> Rejection:
    record = stored.record
    try:
        raw = corrected or rejections.body(services.blobs, stored)
    except BlobsUnavailable as error:
        raise Problem(Kinds.UNAVAILABLE) from error
    user_id = stored.user_ids[0] if len(stored.user_ids) == 1 else ""
    return Rejection(stored.faults, raw, record.position, user_id, context=record.context)


def _submission(rejection: Rejection, stored: StoredRejection, wire: WireRequest) -> Submission:
    item = item_from_rejection(rejection)
    if item is None:
        submission = redecode(UPLOADS[stored.record.format], rejection, wire)
    elif isinstance(item, Document) and (fault := object_fault(item.data)):
        submission = Submission(rejections=(replace(rejection, faults=(fault,)),))
    else:
        submission = Submission((item,))
    items = tuple(_with_key(item, stored.record.rejection_id) for item in submission.items)
    return replace(submission, items=items)


def _with_key(item: Item, rejection_id: str) -> Item:
    """A document with an idempotency key, so that concurrent replays store one document."""
    if isinstance(item, Document) and item.idempotency_key is None:
        return replace(item, idempotency_key=f"rejection {rejection_id}")
    return item

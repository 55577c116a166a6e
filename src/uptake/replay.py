"""What was rejected, tried again after a schema or the item itself was mended.

A replay goes the way of every upload: decoded by its format, judged by the intake, committed with
its receipt. In the same transaction its rejection is marked, so it counts once.
"""

import msgspec
from msgspec.structs import replace

from uptake.blobs import BlobsUnavailable
from uptake.formats.base import WireRequest
from uptake.formats.redecode import object_fault, redecode
from uptake.formats.registry import UPLOADS
from uptake.intake.accept import Judged, Origin, item_again
from uptake.intake.attribute_faults import limit_faults
from uptake.intake.images import CleanImage
from uptake.intake.outcome import receipt
from uptake.model import clock
from uptake.model.items import Document, Item
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Rejection, Submission, bounded
from uptake.reading import Unknown, rejections
from uptake.store.records import Resolved
from uptake.store.stored import RejectionFilter, StoredRejection
from uptake.wiring import Services


class Actor(msgspec.Struct, frozen=True):
    """Who replays: the project and id of a key, and the user that the key is bound to, if any.

    A bound key replays its own user's rejections alone, and what it replays is its own user's.
    """

    project: str
    key_id: str
    user: str | None = None


class Replayed(msgspec.Struct, frozen=True):
    """What became of a replay.

    Attributes:
        rejection_id: what was tried again.
        outcome: `accepted`, in full or in part; `refused`, when it was rejected again and nothing
            changed; `resolved`, when an earlier replay succeeded.
        request_id: under which there is a receipt of what was accepted.
        faults: why it was rejected again, or why a part of it was.
    """

    rejection_id: str
    outcome: str
    request_id: str | None = None
    faults: tuple[Fault, ...] = ()


class Replays(msgspec.Struct, frozen=True):
    """What became of several replays, in the order in which they had been rejected."""

    replays: list[Replayed]
    next: str | None


def replay_page(  # noqa: PLR0913 - which rejections, and on whose behalf
    services: Services,
    actor: Actor,
    wire: WireRequest,
    *,
    only: RejectionFilter,
    cursor: str | None,
    limit: int,
) -> Replays:
    """Try a page of rejections again, each as it was sent.

    Raises:
        BadCursor: the cursor was not given by this server.
        Problem: storage cannot be reached.
        StoreUnavailable: as of the store.
    """
    page = rejections.page(services.store, actor.project, only=only, cursor=cursor, limit=limit)
    replays = [
        # Each of a moment of its own, by which the receipts of one request are told apart.
        replay(services, actor, told.rejection_id, replace(wire, received_at=clock.now()))
        for told in page.rejections
    ]
    return Replays(replays, page.next)


def replay(services: Services, actor: Actor, rejection_id: str, wire: WireRequest) -> Replayed:
    """Try a rejection again, with the mended item where `wire` has a body.

    Raises:
        Unknown: there is no such rejection.
        Problem: storage cannot be reached, the operation's decoding says so, or the key is bound
            to another user than the rejection or the item is about.
        StoreUnavailable: as of the store.
    """
    kept = services.store.rejection(actor.project, rejection_id)
    if kept is None:
        raise Unknown(rejection_id)
    _permit(actor, set(kept.user_ids) or {""})
    if kept.resolved_by is not None:
        return Replayed(rejection_id, "resolved", kept.resolved_by)
    rejected = _rejection(services, kept, wire.body)
    judged = _judge(services, actor, kept, rejected, wire)
    if not judged.items:
        faults = [fault for rejection in judged.rejections for fault in rejection.faults]
        return Replayed(rejection_id, "refused", None, tuple(faults))
    written = services.commit.submit(judged.entry).result()
    if beyond := limit_faults(written):
        return Replayed(rejection_id, "refused", None, bounded(beyond))
    told = receipt(judged, written)
    faults = [fault for rejection in told.rejections for fault in rejection.faults]
    return Replayed(rejection_id, "accepted", wire.request_id, tuple(faults))


def _permit(actor: Actor, user_ids: set[str]) -> None:
    if actor.user is not None and user_ids - {actor.user}:
        raise Problem(Kinds.FORBIDDEN, "The key is bound to another user")


def _rejection(services: Services, kept: StoredRejection, mended: bytes) -> Rejection:
    record = kept.record
    try:
        raw = mended or rejections.body(services.blobs, kept)
    except BlobsUnavailable as error:
        raise Problem(Kinds.UNAVAILABLE) from error
    user_id = kept.user_ids[0] if len(kept.user_ids) == 1 else ""
    return Rejection(kept.faults, raw, record.position, user_id, context=record.context)


def _judge(
    services: Services, actor: Actor, kept: StoredRejection, rejected: Rejection, wire: WireRequest
) -> Judged:
    record = kept.record
    item = item_again(rejected)
    fault = object_fault(item.data) if isinstance(item, Document) else None
    if item is None:
        submission = redecode(UPLOADS[record.format], rejected, wire)
    elif fault is not None:
        submission = Submission(rejections=(replace(rejected, faults=(fault,)),))
    else:
        submission = Submission((item,))
    _permit(actor, submission.user_ids)
    items = tuple(_once(item, record.rejection_id) for item in submission.items)
    origin = Origin(
        actor.project,
        actor.key_id,
        record.format,
        wire.request_id,
        wire.received_at,
        record.context,
        resolves=Resolved(record.rejection_id, tuple(stored.user_id for stored in kept.records)),
    )

    def clean(content: bytes) -> CleanImage:
        return services.images.clean(actor.key_id, content).result()

    return services.intake.judge(replace(submission, items=items), origin, clean)


def _once(item: Item, rejection_id: str) -> Item:
    """A document by a key of its own, so that replays from two sides at once make one."""
    if isinstance(item, Document) and item.idempotency_key is None:
        return replace(item, idempotency_key=f"rejection {rejection_id}")
    return item

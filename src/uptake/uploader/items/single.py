"""Documents and images: a request for each, sent once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from uptake.formats.encoder import DocumentsWire, ImagesWire
from uptake.uploader.context import UploadContext
from uptake.uploader.items.jobs import ItemPart, ItemsJob, is_rejected_before, settle
from uptake.uploader.ledger import items
from uptake.uploader.ledger.rejections import Reason
from uptake.uploader.sending.connection import Request, fill
from uptake.uploader.sources import DocumentItem, ImageItem

NAMED = 5
"""Users that a message names."""

NO_CONTENT = items.content(b"")
"""Documents and images never change: with another content each is another item."""


def send_documents(
    context: UploadContext[DocumentsWire], documents: Iterator[tuple[DocumentItem, str]]
) -> None:
    """Send documents: two of one type and user with the same JSON, spaces aside, are one."""
    wire, type_name = context.wire, context.type_name
    path = fill(wire.path, wire.type_in_path, type_name)
    for item, _ in documents:
        data = msgspec.json.format(item.data, indent=-1)
        identity = items.identity(type_name, item.user_id, data)
        text = msgspec.json.encode({"user_id": item.user_id, "data": msgspec.Raw(data)})
        part = _part(item, identity, text, len(data))
        if _is_new(context, part):
            body, headers = wire.body(item.user_id, data), wire.headers(identity.hex())
            _put(context, part, Request(path, body, wire.media, headers))


def send_images(
    context: UploadContext[ImagesWire], images: Iterator[tuple[ImageItem, str]]
) -> None:
    """Send images: the same bytes for the same user are one, whatever the file's name."""
    wire = context.wire
    for item, _ in images:
        is_whole = item.size == len(item.content)
        identity = items.identity(
            item.user_id, item.content if is_whole else str(item.size).encode()
        )
        text = msgspec.json.encode({"user_id": item.user_id, "path": str(item.path.absolute())})
        part = _part(item, identity, text, len(item.content))
        if not _is_new(context, part):
            continue
        fault = wire.user_fault(item.user_id)
        if item.size > wire.most_bytes:
            fault = f"{item.size:,} bytes, at most {wire.most_bytes:,} are accepted"
        if fault is not None:
            settle(context, (), [(part, [Reason(fault)])])
            continue
        media, body = wire.form(item.path.name, item.content)
        path = fill(wire.path, wire.user_in_path, item.user_id)
        _put(context, part, Request(path, body, media))


def users_fault(wire: ImagesWire, users: Iterable[tuple[str, str]]) -> str:
    """Which images cannot be sent, because of their users, and why; "" if there is none.

    Args:
        wire: the endpoint.
        users: the user and the file of each image.
    """
    count = 0
    named: list[str] = []
    reasons: dict[str, None] = {}
    for user_id, file in users:
        reason = wire.user_fault(user_id)
        if reason is None:
            continue
        count += 1
        reasons[reason] = None
        if len(named) < NAMED:
            named.append(f"{user_id!r} ({file})")
    if not count:
        return ""
    images = "1 image is" if count == 1 else f"{count:,} images are"
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    return f"{images} not sent: {'; '.join(reasons)}: {', '.join(named)}{more}"


def _part(item: DocumentItem | ImageItem, identity: bytes, text: bytes, weight: int) -> ItemPart:
    entries = [(identity, NO_CONTENT)]
    place = item.file, item.line
    return ItemPart(item.user_id, identity, NO_CONTENT, entries, *place, text, weight)


def _put(context: UploadContext[Any], part: ItemPart, request: Request) -> None:
    def build(_: Sequence[ItemPart]) -> Request:
        return request

    context.put(ItemsJob(context, context.wire.read, build, [part]))


def _is_new(context: UploadContext[Any], part: ItemPart) -> bool:
    """Count an item; whether it is to be sent."""
    context.tally.add(read=1)
    if items.known(context.run, [part.identity]):
        repeated = items.is_of_this_run(context.run, part.identity)
        context.tally.add(**{"repeated" if repeated else "known": 1})
        return False
    if is_rejected_before(context, part):
        context.tally.add(refused_before=1)
        return False
    part.whole.open = 1
    return True

"""Images from sources to requests."""

import msgspec

from uptake.formats.encoder import ImagesWire
from uptake.uploader.items.pieces import Desk, Piece, settle
from uptake.uploader.items.single import Once, SingleJob
from uptake.uploader.ledger.items import ItemsLedger, content, identity
from uptake.uploader.ledger.rejections import Reason
from uptake.uploader.ledger.runs import Run
from uptake.uploader.sending.connection import Request, fill
from uptake.uploader.session import Feed, Put, Session
from uptake.uploader.sources import ImageItem


def images_feed(wire: ImagesWire, *, retry_refused: bool = False) -> Feed:
    """What reads the images of a session and hands out requests.

    An image is itself: the same bytes for the same user are one, whatever their file is called.
    """

    def feed(session: Session, run: Run, put: Put) -> None:
        desk = Desk(ItemsLedger(run), session.tally, session.faults, retry_refused)
        once = Once(desk)
        for item, _ in session.read():
            piece = _piece(item)
            if not once.take(piece):
                continue
            fault = wire.user_fault(item.user_id)
            if item.size > wire.most_bytes:
                fault = f"{item.size:,} bytes, at most {wire.most_bytes:,} are taken"
            if fault is not None:
                settle(desk, (), [(piece, [Reason(fault)])])
                continue
            media, body = wire.form(item.path.name, item.content)
            path = fill(wire.path, wire.user_in_path, item.user_id)
            put(SingleJob(desk, wire.read, piece, Request(path, body, media)))

    return feed


def _piece(item: ImageItem) -> Piece:
    known_by = item.content if item.size == len(item.content) else str(item.size).encode()
    one, said = identity(item.user_id, known_by), content(b"")
    told = msgspec.json.encode({"user_id": item.user_id, "path": str(item.path.absolute())})
    return Piece(item.user_id, one, said, [(one, said)], item.file, item.line, told)

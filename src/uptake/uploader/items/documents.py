"""Documents from sources to requests."""

import msgspec

from uptake.formats.encoder import DocumentsWire
from uptake.uploader.items.pieces import Desk, Piece
from uptake.uploader.items.single import Once, SingleJob
from uptake.uploader.ledger.items import ItemsLedger, content, identity
from uptake.uploader.ledger.runs import Run
from uptake.uploader.sending.connection import Request, fill
from uptake.uploader.session import Feed, Put, Session
from uptake.uploader.sources import DocumentItem


def documents_feed(wire: DocumentsWire, type_name: str, *, retry_refused: bool = False) -> Feed:
    """What reads the documents of a session and hands out requests.

    A document is itself: two with the same user, type and JSON text, white space apart, are one.
    """

    def feed(session: Session, run: Run, put: Put) -> None:
        desk = Desk(ItemsLedger(run), session.tally, session.faults, retry_refused)
        once = Once(desk)
        path = fill(wire.path, wire.type_in_path, type_name)
        for item, _ in session.read():
            piece, data = _piece(type_name, item)
            if once.take(piece):
                headers = wire.headers(piece.identity.hex())
                asked = Request(path, wire.body(item.user_id, data), wire.media, headers)
                put(SingleJob(desk, wire.read, piece, asked))

    return feed


def _piece(type_name: str, item: DocumentItem) -> tuple[Piece, bytes]:
    data = msgspec.json.format(item.data, indent=-1)
    one, said = identity(type_name, item.user_id, data), content(b"")
    told = msgspec.json.encode({"user_id": item.user_id, "data": msgspec.Raw(data)})
    return Piece(item.user_id, one, said, [(one, said)], item.file, item.line, told), data

"""Requests with one item each: documents and images."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from uptake.formats.encoder import Read
from uptake.uploader.items.pieces import Desk, Piece, settle
from uptake.uploader.ledger.rejections import Reason, reasons_of
from uptake.uploader.sending.connection import Request
from uptake.uploader.sending.job import Halt, Job


@dataclass(slots=True, eq=False)
class SingleJob:
    """A request with one item."""

    desk: Desk
    read: Read
    piece: Piece
    asked: Request
    family: object = field(default_factory=object)

    def __post_init__(self) -> None:
        self.desk.ledger.gathered(self.piece.notes)

    @property
    def lanes(self) -> Sequence[str]:
        """One user's go one after the other."""
        return (self.piece.user_id,)

    @property
    def weight(self) -> int:
        """Bytes."""
        return len(self.asked.body)

    def request(self) -> Request:
        """The request."""
        return self.asked

    def sent(self) -> None:
        """Note that it is."""
        self.desk.ledger.sent(self.piece.notes)

    def answered(self, status: int, body: bytes) -> Sequence[Job]:
        """Note what became of it.

        Raises:
            Unclear: the answer is none of this endpoint's.
            Halt: nothing of the kind will be taken.
        """
        verdict = self.read(status, body, 1)
        if verdict.halt:
            raise Halt(verdict.halt)
        if verdict.rejected:
            settle(self.desk, (), [(self.piece, reasons_of(verdict.rejected))])
        else:
            settle(self.desk, (self.piece,), ())
        return ()

    def parts(self) -> Sequence[Job]:
        """It cannot be split."""
        return ()

    def reject(self, reason: str) -> None:
        """Note that it is rejected."""
        settle(self.desk, (), [(self.piece, [Reason(reason)])])


class Once:
    """Tells which items are to be sent, of those of which each is itself and never changes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def take(self, piece: Piece) -> bool:
        """Count an item; whether it is to be sent."""
        desk = self._desk
        desk.tally.add(read=1)
        if desk.ledger.known([piece.identity]):
            now = desk.ledger.is_of_this_run(piece.identity)
            desk.tally.add(**{"repeated" if now else "known": 1})
            return False
        if desk.refused_before(piece):
            desk.tally.add(refused_before=1)
            return False
        piece.whole.open = 1
        return True

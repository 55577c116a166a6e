"""What is sent of an item in one request, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from uptake.uploader.faults import Faults
from uptake.uploader.ledger import rejections
from uptake.uploader.ledger.items import ItemsLedger, Note
from uptake.uploader.ledger.rejections import Reason, Rejection
from uptake.uploader.tally import Tally


@dataclass(frozen=True, slots=True)
class Desk:
    """What all requests with attributes, documents or images work with.

    Attributes:
        ledger: where they are noted.
        tally, faults: where outcomes are told.
        retry_refused: whether to send again what was rejected before.
    """

    ledger: ItemsLedger
    tally: Tally
    faults: Faults
    retry_refused: bool = False

    def refused_before(self, piece: "Piece") -> bool:
        """Whether something was rejected before; if so that is told again."""
        if self.retry_refused:
            return False
        rejection = rejections.find(
            self.ledger.run, piece.user_id, "", piece.identity, piece.content
        )
        if rejection is None:
            return False
        self.faults.rejected(rejection.at(piece.file, piece.line))
        return True


@dataclass(slots=True, eq=False)
class Whole:
    """An item of a source, which goes out in one piece or in several.

    Attributes:
        open: pieces without an outcome.
        rejected: whether one was rejected.
        before: whether one was rejected in an earlier run.
    """

    open: int = 0
    rejected: bool = False
    before: bool = False

    def settle(self, tally: Tally) -> None:
        """Count it, if all its pieces have an outcome."""
        if self.open:
            return
        if self.rejected:
            tally.add(refused=1)
        elif self.before:
            tally.add(refused_before=1)
        else:
            tally.add(acknowledged=1)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What of an item goes into one request.

    Attributes:
        user_id: whom it is about.
        identity, content: by which it is known again when it is rejected.
        notes: what is kept of it in the ledger.
        file, line: where it stands.
        item: as a source reads it, as JSON text.
        whole: the item that it belongs to.
    """

    user_id: str
    identity: bytes
    content: bytes
    notes: Sequence[Note]
    file: str
    line: int
    item: bytes
    whole: Whole = field(default_factory=Whole)

    def rejection(self, reasons: Sequence[Reason]) -> Rejection:
        """It as rejected."""
        return Rejection(
            self.user_id,
            "",
            self.identity,
            self.content,
            self.file,
            self.line,
            tuple(reasons),
            self.item,
        )


def settle(
    desk: Desk, kept: Sequence[Piece], rejected: Sequence[tuple[Piece, list[Reason]]]
) -> None:
    """Note and tell what became of pieces."""
    told = [piece.rejection(reasons) for piece, reasons in rejected]
    desk.ledger.settled(
        [note for piece in kept for note in piece.notes],
        [note for piece, _ in rejected for note in piece.notes],
        told,
    )
    if desk.ledger.any_rejected():
        desk.ledger.mended([(piece.user_id, piece.identity) for piece in kept])
    for rejection in told:
        desk.faults.rejected(rejection)
    for piece, _ in rejected:
        piece.whole.rejected = True
    for piece in (*kept, *(piece for piece, _ in rejected)):
        piece.whole.open -= 1
        piece.whole.settle(desk.tally)

"""Requests with attributes of several users, each with the same names."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from uptake.formats.encoder import ProfilesWire, Rejected, Scalar
from uptake.uploader.items.pieces import Desk, Piece, settle
from uptake.uploader.ledger.rejections import Reason, reasons_of
from uptake.uploader.sending.connection import Request
from uptake.uploader.sending.job import Halt


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A user's values, in the order of the names of a request, and the piece that they are."""

    values: tuple[Scalar, ...]
    piece: Piece


@dataclass(slots=True, eq=False)
class MatrixJob:
    """A request with attributes of several users.

    Attributes:
        names: of the attributes.
        lines: one for each user.
        noted: whether the ledger has its attributes already.
    """

    desk: Desk
    wire: ProfilesWire
    names: tuple[str, ...]
    lines: Sequence[Line]
    family: object = field(default_factory=object)
    noted: bool = False

    def __post_init__(self) -> None:
        if not self.noted:
            self.desk.ledger.gathered(self._notes)

    @property
    def _notes(self) -> list[tuple[bytes, bytes]]:
        return [note for line in self.lines for note in line.piece.notes]

    @property
    def lanes(self) -> Sequence[str]:
        """Every user's."""
        return tuple(line.piece.user_id for line in self.lines)

    @property
    def weight(self) -> int:
        """Bytes, about."""
        return sum(2 * len(line.piece.item) for line in self.lines)

    def request(self) -> Request:
        """The request."""
        rows = [(line.piece.user_id, line.values) for line in self.lines]
        return Request(self.wire.path, self.wire.body(self.names, rows), self.wire.media)

    def sent(self) -> None:
        """Note that it is."""
        self.desk.ledger.sent(self._notes)

    def answered(self, status: int, body: bytes) -> "list[MatrixJob]":
        """Note what became of each row; where one spoilt the others, what is to be sent of them.

        Raises:
            Unclear: the answer is none of this endpoint's.
            Halt: no attributes will be taken.
        """
        verdict = self.wire.read(status, body, len(self.lines))
        if verdict.halt:
            raise Halt(verdict.halt)
        faults: dict[int, list[Rejected]] = {}
        for fault in verdict.rejected:
            if fault.index is None and len(self.lines) > 1:
                return self.parts()
            faults.setdefault(fault.index or 0, []).append(fault)
        bad = [(self.lines[i].piece, self._reasons(rejected)) for i, rejected in faults.items()]
        others = [line for i, line in enumerate(self.lines) if i not in faults]
        if verdict.stores_others:
            settle(self.desk, [line.piece for line in others], bad)
            return []
        settle(self.desk, [], bad)
        return [self._with(others)] if others else []

    def _reasons(self, faults: Sequence[Rejected]) -> list[Reason]:
        """Reasons that name a place in the row, not in the request."""
        return [
            Reason(self.wire.row_message(reason.message), reason.code, reason.field)
            for reason in reasons_of(faults)
        ]

    def _with(self, lines: Sequence[Line]) -> "MatrixJob":
        return MatrixJob(self.desk, self.wire, self.names, lines, self.family, noted=True)

    def parts(self) -> "list[MatrixJob]":
        """Two halves, if there are two users."""
        half = len(self.lines) // 2
        return [self._with(self.lines[:half]), self._with(self.lines[half:])] if half else []

    def reject(self, reason: str) -> None:
        """Note that all rows are rejected."""
        settle(self.desk, [], [(line.piece, [Reason(reason)]) for line in self.lines])

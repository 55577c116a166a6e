"""Attributes from sources to requests."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import msgspec

from uptake.formats.encoder import ProfilesWire, Scalar
from uptake.uploader.items.matrix import Line, MatrixJob
from uptake.uploader.items.pieces import Desk, Piece, Whole
from uptake.uploader.ledger.items import ItemsLedger, Note, content, identity
from uptake.uploader.ledger.rejections import Reason
from uptake.uploader.ledger.runs import Run
from uptake.uploader.session import Feed, Put, Session
from uptake.uploader.sources import ProfileRow

TOGETHER = 200
"""Rows that are compared with the ledger at a time."""

MOST_BUFFERED = 10_000
"""Rows that wait for others with the same names; beyond, those that wait longest are sent."""

MOST_HELD = 10_000
"""Rows that wait for the end, because they differ from what the receiver has."""

Names = tuple[str, ...]


def profiles_feed(wire: ProfilesWire, *, retry_refused: bool = False) -> Feed:
    """What reads the rows of a session and hands out requests."""

    def feed(session: Session, run: Run, put: Put) -> None:
        desk = Desk(ItemsLedger(run), session.tally, session.faults, retry_refused)
        gathering = _Gathering(desk, wire, put)
        rows: list[ProfileRow] = []
        for row, _ in session.read():
            rows.append(row)
            if len(rows) == TOGETHER:
                gathering.take(rows)
                rows = []
        gathering.take(rows)
        gathering.finish()

    return feed


class _Row:
    """A row of a source: attributes that can be sent, with what identifies each."""

    def __init__(self, row: ProfileRow, attributes: dict[str, Scalar]) -> None:
        self.row = row
        self.attributes = attributes
        self.whole = Whole()
        # A user without attributes is something to send too.
        self.notes: dict[str, Note] = {
            name: (identity(row.user_id, name), content(msgspec.json.encode(attributes.get(name))))
            for name in attributes or {"": ""}
        }


class _Gathering:
    def __init__(self, desk: Desk, wire: ProfilesWire, put: Put) -> None:
        self._desk = desk
        self._wire = wire
        self._put = put
        self._buffers: OrderedDict[Names, list[Line]] = OrderedDict()
        self._buffered = 0
        self._where: dict[str, set[Names]] = {}
        self._now: dict[bytes, bytes] = {}
        self._noted: list[Note] = []
        self._held: dict[str, list[_Row]] = {}
        self._held_rows = 0

    def take(self, rows: Sequence[ProfileRow]) -> None:
        """Take in rows.

        Of several rows of one user the last is to be the last that the receiver gets: a row that
        differs from what it has waits for the end, and all further rows of the user with it.
        """
        for one, said in self._noted:
            # By now the ledger has it.
            if self._now.get(one) == said:
                del self._now[one]
        self._noted.clear()
        read = [self._read(row) for row in rows]
        known = self._known(read)
        for row in read:
            user_id = row.row.user_id
            had = [self._now.get(one, known.get(one)) for one, _ in row.notes.values()]
            says = [said for _, said in row.notes.values()]
            changed = any(h is not None and h != s for h, s in zip(had, says, strict=True))
            if changed or user_id in self._held:
                self._held.setdefault(user_id, []).append(row)
                self._held_rows += 1
            elif had == says:
                now = all(one in self._now for one, _ in row.notes.values())
                self._same(row, repeated=now)
            else:
                self._send(row)
        if self._held_rows > MOST_HELD:
            self._release()

    def finish(self) -> None:
        """Send all that is left."""
        self._release()
        while self._buffers:
            self._flush(next(iter(self._buffers)))

    def _read(self, row: ProfileRow) -> _Row:
        """A row without the attributes that would have the whole request turned away."""
        self._desk.tally.add(read=1)
        good: dict[str, Scalar] = {}
        bad: list[tuple[str, str]] = []
        for name, value in row.attributes.items():
            reason = self._wire.fault(name, value)
            if reason is None:
                good[name] = value
            else:
                bad.append((name, reason))
        read = _Row(row, good)
        for name, reason in bad:
            piece = self._piece(read, {name: row.attributes[name]})
            self._desk.faults.rejected(piece.rejection([Reason(f"{name}: {reason}")]))
            read.whole.rejected = True
        return read

    def _known(self, rows: Sequence[_Row]) -> dict[bytes, bytes]:
        return self._desk.ledger.known([one for row in rows for one, _ in row.notes.values()])

    def _same(self, row: _Row, *, repeated: bool) -> None:
        if row.whole.rejected:
            self._desk.tally.add(refused=1)
        else:
            self._desk.tally.add(**{"repeated" if repeated else "known": 1})

    def _release(self) -> None:
        """Send the rows that were held, except where the receiver has what they end in."""
        for rows in self._held.values():
            final = {one: said for row in rows for one, said in row.notes.values()}
            known = self._known(rows) | {one: self._now[one] for one in final if one in self._now}
            if all(known.get(one) == said for one, said in final.items()):
                for row in rows:
                    same = all(final[one] == said for one, said in row.notes.values())
                    self._same(row, repeated=not same)
            else:
                for row in rows:
                    self._send(row)
        self._held.clear()
        self._held_rows = 0

    def _send(self, row: _Row) -> None:
        pieces = [(names, self._piece(row, some)) for names, some in self._parts(row)]
        fresh = [(names, piece) for names, piece in pieces if not self._desk.refused_before(piece)]
        row.whole.before = len(fresh) < len(pieces)
        row.whole.open = len(fresh)
        if not fresh:
            row.whole.settle(self._desk.tally)
        for names, piece in fresh:
            self._buffer(names, piece, tuple(row.attributes[name] for name in names))

    def _parts(self, row: _Row) -> Iterator[tuple[Names, dict[str, Scalar]]]:
        """A row's attributes, so many at a time as a request takes."""
        names, most = list(row.attributes), self._wire.most_names
        for at in range(0, max(1, len(names)), most):
            some = tuple(names[at : at + most])
            yield some, {name: row.attributes[name] for name in some}

    @staticmethod
    def _piece(row: _Row, attributes: dict[str, Scalar]) -> Piece:
        told = row.row
        names = list(attributes)
        return Piece(
            told.user_id,
            identity(told.user_id, *names),
            content(msgspec.json.encode(list(attributes.values()))),
            [row.notes[name] for name in names or [""] if name in row.notes],
            told.file,
            told.line,
            msgspec.json.encode({"user_id": told.user_id, **attributes}),
            row.whole,
        )

    def _buffer(self, names: Names, piece: Piece, values: tuple[Scalar, ...]) -> None:
        for other in list(self._where.get(piece.user_id, ())):
            if other == names or set(other) & set(names):
                # What stands first goes first.
                self._flush(other)
        lines = self._buffers.setdefault(names, [])
        lines.append(Line(values, piece))
        self._now.update(piece.notes)
        self._where.setdefault(piece.user_id, set()).add(names)
        self._buffered += 1
        if len(lines) == self._wire.most_rows:
            self._flush(names)
        while self._buffered > MOST_BUFFERED:
            self._flush(next(iter(self._buffers)))

    def _flush(self, names: Names) -> None:
        lines = self._buffers.pop(names)
        self._buffered -= len(lines)
        job = MatrixJob(self._desk, self._wire, names, lines)
        for line in lines:
            self._where[line.piece.user_id].discard(names)
            if not self._where[line.piece.user_id]:
                del self._where[line.piece.user_id]
            self._noted += line.piece.notes
        self._put(job)

"""Attributes: requests with several users, each with the same names."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from uptake.formats.encoder import ProfilesWire, Scalar, Verdict
from uptake.uploader.context import UploadContext
from uptake.uploader.items.jobs import ItemPart, ItemsJob, SourceItem, is_rejected_before
from uptake.uploader.ledger import items
from uptake.uploader.ledger.items import Entry, content, identity
from uptake.uploader.ledger.rejections import Reason
from uptake.uploader.sending.connection import Request
from uptake.uploader.sources import ProfileRow

COMPARED_ROWS = 200
"""Rows that are compared with the ledger at a time."""

MAX_BUFFERED = 10_000
"""Rows that wait for others with the same names; beyond, those that wait longest are sent."""

MAX_CHANGED = 10_000
"""Rows that wait for the end, because they differ from what the receiver has."""

Names = tuple[str, ...]


def send_profiles(
    context: UploadContext[ProfilesWire], profiles: Iterator[tuple[ProfileRow, str]]
) -> None:
    """Send attributes."""
    batcher = _ProfileBatcher(context)
    rows = (row for row, _ in profiles)
    while some := list(islice(rows, COMPARED_ROWS)):
        batcher.add(some)
    batcher.finish()


class _Row:
    """A row of a source: attributes that can be sent, with the ledger's entry of each."""

    def __init__(self, row: ProfileRow, attributes: dict[str, Scalar]) -> None:
        self.row = row
        self.attributes = attributes
        self.whole = SourceItem()
        # A user without attributes is sent too.
        self.entries: dict[str, Entry] = {
            name: (identity(row.user_id, name), content(msgspec.json.encode(attributes.get(name))))
            for name in attributes or {"": ""}
        }

    def part(self, attributes: dict[str, Scalar]) -> ItemPart:
        """Some of its attributes."""
        row, names, values = self.row, list(attributes), tuple(attributes.values())
        text = msgspec.json.encode({"user_id": row.user_id, **attributes})
        return ItemPart(
            row.user_id,
            identity(row.user_id, *names),
            content(msgspec.json.encode(values)),
            [self.entries[name] for name in names or [""] if name in self.entries],
            row.file,
            row.line,
            text,
            2 * len(text),
            values,
            self.whole,
        )


class _ProfileBatcher:
    """Gathers rows into requests.

    Of several rows of one user, the receiver must get the last one last. So a row that differs from
    what the receiver has waits for the end, and all later rows of its user with it.
    """

    def __init__(self, context: UploadContext[ProfilesWire]) -> None:
        self._context = context
        self._buffers: OrderedDict[Names, list[ItemPart]] = OrderedDict()
        self._buffered = 0
        self._names_of: dict[str, set[Names]] = {}
        self._in_run: dict[bytes, bytes] = {}
        self._recorded: list[Entry] = []
        self._changed: dict[str, list[_Row]] = {}
        self._changed_rows = 0

    def add(self, rows: Sequence[ProfileRow]) -> None:
        """Add rows, and queue the requests that are full."""
        for one, value in self._recorded:  # the ledger has these now
            if self._in_run.get(one) == value:
                del self._in_run[one]
        self._recorded.clear()
        read = [self._read(row) for row in rows]
        known = self._known(read)
        for row in read:
            user_id, entries = row.row.user_id, row.entries.values()
            stored = [self._in_run.get(one, known.get(one)) for one, _ in entries]
            values = [value for _, value in entries]
            differs = any(
                old is not None and old != new for old, new in zip(stored, values, strict=True)
            )
            if differs or user_id in self._changed:
                self._changed.setdefault(user_id, []).append(row)
                self._changed_rows += 1
            elif stored == values:
                self._skip(row, repeated=all(one in self._in_run for one, _ in entries))
            else:
                self._send(row)
        if self._changed_rows > MAX_CHANGED:
            self._send_changed()

    def finish(self) -> None:
        """Queue all the rest."""
        self._send_changed()
        while self._buffers:
            self._flush(next(iter(self._buffers)))

    def _read(self, row: ProfileRow) -> _Row:
        """A row without the attributes for which the whole request would be rejected."""
        self._context.tally.add(read=1)
        faults = {
            name: reason
            for name, value in row.attributes.items()
            if (reason := self._context.wire.fault(name, value)) is not None
        }
        good = {name: value for name, value in row.attributes.items() if name not in faults}
        read = _Row(row, good)
        for name, reason in faults.items():
            part = read.part({name: row.attributes[name]})
            self._context.report(part.rejection([Reason(f"{name}: {reason}")]))
            read.whole.rejected = True
        return read

    def _known(self, rows: Sequence[_Row]) -> dict[bytes, bytes]:
        identities = [one for row in rows for one, _ in row.entries.values()]
        return items.known(self._context.run, identities)

    def _skip(self, row: _Row, *, repeated: bool) -> None:
        name = "refused" if row.whole.rejected else "repeated" if repeated else "known"
        self._context.tally.add(**{name: 1})

    def _send_changed(self) -> None:
        """Send the changed rows, except where the receiver has what they end in."""
        for rows in self._changed.values():
            final = {one: value for row in rows for one, value in row.entries.values()}
            known = self._known(rows)
            known |= {one: self._in_run[one] for one in final if one in self._in_run}
            is_known = all(known.get(one) == value for one, value in final.items())
            for row in rows:
                if is_known:
                    same = all(final[one] == value for one, value in row.entries.values())
                    self._skip(row, repeated=not same)
                else:
                    self._send(row)
        self._changed.clear()
        self._changed_rows = 0

    def _send(self, row: _Row) -> None:
        parts = list(self._parts(row))
        fresh = [
            (names, part) for names, part in parts if not is_rejected_before(self._context, part)
        ]
        row.whole.before = len(fresh) < len(parts)
        row.whole.open = len(fresh)
        if not fresh:
            row.whole.count(self._context.tally)
        for names, part in fresh:
            self._buffer(names, part)

    def _parts(self, row: _Row) -> Iterator[tuple[Names, ItemPart]]:
        """A row in parts with as many attributes as a request takes."""
        names, most = list(row.attributes), self._context.wire.most_names
        for at in range(0, max(1, len(names)), most):
            some = tuple(names[at : at + most])
            yield some, row.part({name: row.attributes[name] for name in some})

    def _buffer(self, names: Names, part: ItemPart) -> None:
        for other in list(self._names_of.get(part.user_id, ())):
            if other == names or set(other) & set(names):
                self._flush(other)  # what is first in the source is sent first
        parts = self._buffers.setdefault(names, [])
        parts.append(part)
        self._in_run.update(part.entries)
        self._names_of.setdefault(part.user_id, set()).add(names)
        self._buffered += 1
        if len(parts) == self._context.wire.most_rows:
            self._flush(names)
        while self._buffered > MAX_BUFFERED:
            self._flush(next(iter(self._buffers)))

    def _flush(self, names: Names) -> None:
        parts = self._buffers.pop(names)
        self._buffered -= len(parts)
        wire = self._context.wire

        def build(parts: Sequence[ItemPart]) -> Request:
            rows = [(part.user_id, part.values) for part in parts]
            return Request(wire.path, wire.body(names, rows), wire.media)

        job = ItemsJob(self._context, self._verdict, build, parts)
        for part in parts:
            self._names_of[part.user_id].discard(names)
            if not self._names_of[part.user_id]:
                del self._names_of[part.user_id]
            self._recorded += part.entries
        self._context.put(job)

    def _verdict(self, status: int, body: bytes, count: int) -> Verdict:
        """The wire's verdict; its reasons name a place in the row instead of one in the request."""
        wire = self._context.wire
        verdict = wire.read(status, body, count)
        rejected = [
            msgspec.structs.replace(one, message=wire.row_message(one.message))
            for one in verdict.rejected
        ]
        return msgspec.structs.replace(verdict, rejected=tuple(rejected))

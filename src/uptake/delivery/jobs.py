"""Requests of entries of the outbox, and the outcome of each item."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from uptake.formats.encoder import (
    MAX_TEXT,
    DocumentsWire,
    ImagesWire,
    ProfilesWire,
    RegistrationWire,
    Rejected,
    SamplesWire,
    Verdict,
)
from uptake.samples.columns import Columns, in_use, rows, to_bytes
from uptake.samples.times import Int64s
from uptake.store.relay_ports import Settled
from uptake.uploader.sending.connection import Request, fill

SHOWN = 3
"""Different faults in the reason of a dead entry."""

NOT_NAMED = "the receiver rejected it without naming it"

_json = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder().encode

Part = TypeVar("Part")
Content = tuple[bytes, int]
"""The content of an entry, and the number of its items."""


@dataclass(slots=True, eq=False)
class Bundle(Generic[Part]):
    """Entries of one user that are sent, and have their outcome, together.

    Attributes:
        user_id: the user.
        sequences: of the entries, in order.
        content: makes the content of a dead entry from rejected parts.
        settle: called with the outcome, once every part has one.
        attempts, failed_at: of the first entry.
        open: parts without an outcome.
        rejected: the rejected parts.
        reasons: why they are rejected.
    """

    user_id: str
    sequences: tuple[int, ...]
    content: Callable[[Sequence[Part]], Content]
    settle: Callable[[Settled], None]
    attempts: int = 0
    failed_at: int | None = None
    open: int = 1
    rejected: list[Part] = field(default_factory=list)
    reasons: dict[str, None] = field(default_factory=dict)

    def split(self, parts: int) -> None:
        """Note that one part is sent as several."""
        self.open += parts - 1

    def reject(self, part: Part, reasons: Iterable[str]) -> None:
        """Note a rejected part."""
        self.rejected.append(part)
        self.reasons |= dict.fromkeys(reasons)

    def end(self) -> None:
        """Note that a part has its outcome. The parts of a user are sent one after the other."""
        self.open -= 1
        if self.open:
            return
        if not self.rejected:
            self.settle(Settled(self.user_id, self.sequences))
            return
        reason = "; ".join(list(self.reasons)[:SHOWN])[:MAX_TEXT]
        content, count = self.content(self.rejected)
        self.settle(Settled(self.user_id, self.sequences, reason, content, count))


def message_of(fault: Rejected) -> str:
    """A fault in one line."""
    place = f"{fault.field}: " if fault.field else ""
    return f"{place}{fault.message or fault.code}"


def samples_content(columns: Columns, rejected: Sequence[Int64s]) -> Content:
    """The samples at these places."""
    places = np.unique(np.concatenate(rejected))
    return to_bytes(in_use(columns.take(places))), len(places)


@dataclass(slots=True, eq=False)
class SamplesJob:
    """A request with samples of one user and one metric.

    Too few for a request are repeated in it: equal samples are one sample for the receiver.

    Attributes:
        wire: the format of the request.
        metric: the metric.
        columns: the samples of the bundle.
        places: which of them are in the request.
        bundle: the entries.
        group: the same for all requests that one was split into.
    """

    wire: SamplesWire
    metric: str
    columns: Columns
    places: Int64s
    bundle: Bundle[Int64s]
    group: object = field(default_factory=object)

    @property
    def bundles(self) -> Sequence[Bundle[Int64s]]:
        """The entries that the request has parts of."""
        return (self.bundle,)

    @property
    def lanes(self) -> Sequence[str]:
        """The user."""
        return (self.bundle.user_id,)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return 200 * len(self.places)

    def _sent(self) -> Int64s:
        count = max(len(self.places), self.wire.least)
        return np.resize(self.places, count)

    def request(self) -> Request:
        """The request."""
        names = self.wire.row
        items = [
            {name: row[column] for name, column in names if row[column] is not None}
            for row in rows(self.columns.take(self._sent()))
        ]
        samples = _json.encode(items)[1:-1]
        body = self.wire.body(self.bundle.user_id, self.metric, samples)
        return Request(self.wire.path, body, self.wire.media)

    def make(self) -> bool:
        """Whether there is something to send."""
        return True

    def sent(self) -> None:
        """Nothing to record: an entry is in the outbox until it has its outcome."""

    def answered(self, status: int, body: bytes) -> "list[SamplesJob]":
        """Note the outcome of each sample, or return smaller requests that find it out.

        Raises:
            Unclear: the answer is not one of this endpoint's.
        """
        verdict = self.wire.read(status, body, len(self._sent()))
        if verdict.unnamed and len(self.places) > 1:
            return self.parts()
        if verdict.unnamed or verdict.halt:
            self.reject(verdict.halt or NOT_NAMED)
            return []
        if any(fault.index is None for fault in verdict.rejected):
            self.bundle.reject(self.places, map(message_of, verdict.rejected))
        elif verdict.rejected:
            named = {(fault.index or 0) % len(self.places) for fault in verdict.rejected}
            self.bundle.reject(self.places[sorted(named)], map(message_of, verdict.rejected))
        self.bundle.end()
        return []

    def parts(self) -> "list[SamplesJob]":
        """Two halves, if there are two samples."""
        half = len(self.places) // 2
        if not half:
            return []
        self.bundle.split(2)
        return [
            SamplesJob(self.wire, self.metric, self.columns, places, self.bundle, self.group)
            for places in (self.places[:half], self.places[half:])
        ]

    def reject(self, reason: str) -> None:
        """Note that all samples are rejected."""
        self.bundle.reject(self.places, [reason])
        self.bundle.end()


@dataclass(frozen=True, slots=True, eq=False)
class ItemPart:
    """An item, or attributes of one, of one user.

    Attributes:
        bundle: its entries.
        content: as in the request; what it is depends on the kind.
    """

    bundle: "Bundle[ItemPart]"
    content: Any


@dataclass(slots=True, eq=False)
class ItemsJob:
    """A request with items, of one user each.

    Attributes:
        read: reads the answer.
        build: makes the request of the items; None if they do not exist any more.
        items: one for each user, in order.
        weight: bytes of memory, about.
        group: the same for all requests that one was split into.
    """

    read: Callable[[int, bytes, int], Verdict]
    build: Callable[[Sequence[ItemPart]], Request | None]
    items: Sequence[ItemPart]
    weight: int
    group: object = field(default_factory=object)
    made: Request | None = None

    @property
    def bundles(self) -> Sequence[Bundle[ItemPart]]:
        """The entries that the request has parts of."""
        return [item.bundle for item in self.items]

    @property
    def lanes(self) -> Sequence[str]:
        """The users."""
        return [item.bundle.user_id for item in self.items]

    def request(self) -> Request:
        """The request that `make` made."""
        if self.made is None:
            raise TypeError("the request is not made")
        made, self.made = self.made, None
        return made

    def make(self) -> bool:
        """Make the request; False, with the outcome, if there is nothing to send any more."""
        self.made = self.build(self.items)
        if self.made is None:
            self._end()
        return self.made is not None

    def sent(self) -> None:
        """Nothing to record: an entry is in the outbox until it has its outcome."""

    def answered(self, status: int, body: bytes) -> "list[ItemsJob]":
        """Note the outcome of each item; where one spoilt the others, return those to be sent.

        Raises:
            Unclear: the answer is not one of this endpoint's.
        """
        verdict = self.read(status, body, len(self.items))
        if verdict.halt:
            self.reject(verdict.halt)
            return []
        faults: dict[int, list[str]] = {}
        for fault in verdict.rejected:
            if fault.index is None and len(self.items) > 1:
                return self.parts()
            faults.setdefault(fault.index or 0, []).append(message_of(fault))
        for place, reasons in faults.items():
            item = self.items[place]
            item.bundle.reject(item, reasons)
            item.bundle.end()
        others = [item for place, item in enumerate(self.items) if place not in faults]
        if others and not verdict.stores_others:
            return [self._with(others)]
        for item in others:
            item.bundle.end()
        return []

    def _with(self, items: Sequence[ItemPart]) -> "ItemsJob":
        return ItemsJob(self.read, self.build, items, self.weight, self.group)

    def parts(self) -> "list[ItemsJob]":
        """Two halves, if there are two items."""
        half = len(self.items) // 2
        return [self._with(self.items[:half]), self._with(self.items[half:])] if half else []

    def reject(self, reason: str) -> None:
        """Note that all items are rejected."""
        for item in self.items:
            item.bundle.reject(item, [reason])
        self._end()

    def _end(self) -> None:
        for item in self.items:
            item.bundle.end()


RelayJob = SamplesJob | ItemsJob


def attributes_content(rejected: Sequence[ItemPart]) -> Content:
    """The attributes of these parts together."""
    together: dict[str, str] = {}
    for part in rejected:
        together |= part.content
    return _pack([list(together), list(together.values())]), 1


def item_content(rejected: Sequence[ItemPart]) -> Content:
    """The id of the document or image."""
    return rejected[0].content.content, 1


def profiles_request(wire: ProfilesWire, items: Sequence[ItemPart]) -> Request:
    """A request with attributes of several users; all have the same names."""
    names = list(items[0].content)
    users = [(item.bundle.user_id, list(item.content.values())) for item in items]
    return Request(wire.path, wire.body(names, users), wire.media)


def registration_request(wire: RegistrationWire, items: Sequence[ItemPart]) -> Request:
    """A request that registers a user."""
    (item,) = items
    return Request(wire.path, wire.body(item.bundle.user_id, item.content), wire.media)


def document_request(
    wire: DocumentsWire, user_id: str, upload_id: str, of_type: str, data: bytes
) -> Request:
    """A request with a document. Its upload id shows a receiver that a request is repeated."""
    path = fill(wire.path, wire.type_in_path, of_type)
    return Request(path, wire.body(user_id, data), wire.media, wire.headers(upload_id))


def image_request(wire: ImagesWire, user_id: str, name: str, content: bytes) -> Request:
    """A request with an image."""
    media, body = wire.form(name, content)
    return Request(fill(wire.path, wire.user_in_path, user_id), body, media)

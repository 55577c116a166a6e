"""Entries of the outbox into requests, in the order of each user's items."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec
import numpy as np

from uptake.blobs import Blobs
from uptake.delivery.jobs import (
    Bundle,
    Content,
    ItemPart,
    ItemsJob,
    Part,
    RelayJob,
    SamplesJob,
    attributes_content,
    document_request,
    image_request,
    item_content,
    profiles_request,
    registration_request,
    samples_content,
)
from uptake.formats.encoder import (
    AnyWire,
    DocumentsWire,
    ImagesWire,
    ProfilesWire,
    SamplesWire,
    Wire,
)
from uptake.samples.columns import from_all_bytes, latest
from uptake.store.base import ItemQueries
from uptake.store.image_ports import NumberedImages
from uptake.store.relay_ports import OutboxEntry, Settled
from uptake.uploader.sending.connection import Request

KINDS: dict[type[Wire], str] = {
    SamplesWire: "samples",
    ProfilesWire: "attributes",
    DocumentsWire: "document",
    ImagesWire: "image",
}
"""The kind of the entries that are sent in a format."""

ITEM_WEIGHT = 4096
"""Bytes of memory of an item that is read when it is sent, about."""

_attributes = msgspec.msgpack.Decoder(tuple[list[str], list[str]])


class Items(ItemQueries, NumberedImages, Protocol):
    """The ports that have documents and images."""


class Batching(ABC):
    """Makes requests of entries, which come in order of user and sequence."""

    def __init__(self, settle: Callable[[Settled], None]) -> None:
        self._settle = settle
        self._user: str | None = None
        self._waits = False

    def add(self, entry: OutboxEntry, now: int) -> Iterator[RelayJob]:
        """Add an entry, and yield the requests that are complete.

        If the first entry of a user waits for another attempt, all of them wait.
        """
        if entry.user_id != self._user:
            yield from self.end_user()
            self._user, self._waits = entry.user_id, entry.due > now
        if not self._waits:
            yield from self.put(entry)

    @abstractmethod
    def put(self, entry: OutboxEntry) -> Iterator[RelayJob]:
        """Add an entry of a user who does not wait."""

    def end_user(self) -> Iterator[RelayJob]:
        """Yield the requests that are complete without further entries of the user."""
        yield from ()

    def finish(self) -> Iterator[RelayJob]:
        """Yield the last requests."""
        yield from self.end_user()


def _bundle(
    entries: Sequence[OutboxEntry],
    content: Callable[[Sequence[Part]], Content],
    settle: Callable[[Settled], None],
) -> Bundle[Part]:
    first, sequences = entries[0], tuple(entry.sequence for entry in entries)
    return Bundle(first.user_id, sequences, content, settle, first.attempts, first.failed_at)


def _attributes_of(entry: OutboxEntry) -> dict[str, str]:
    return dict(zip(*_attributes.decode(entry.content), strict=True))


class _Samples(Batching):
    """Joins the samples of a user and a metric, up to the number that a request may have.

    A registration is sent after the samples that were received before it.
    """

    def __init__(self, wire: SamplesWire, settle: Callable[[Settled], None]) -> None:
        super().__init__(settle)
        self._wire = wire
        self._waiting: dict[str, list[OutboxEntry]] = {}

    def put(self, entry: OutboxEntry) -> Iterator[RelayJob]:
        registration = self._wire.registration
        if registration is not None and entry.kind == KINDS[ProfilesWire]:
            yield from self.end_user()
            bundle = _bundle([entry], attributes_content, self._settle)
            part = ItemPart(bundle, _attributes_of(entry))
            build = partial(registration_request, registration)
            yield ItemsJob(registration.read, build, [part], 2 * len(entry.content))
            return
        some = self._waiting.setdefault(entry.type, [])
        if some and sum(one.count for one in some) + entry.count > self._wire.most:
            yield from self._jobs(entry.type, some)
            some = self._waiting[entry.type] = []
        some.append(entry)

    def end_user(self) -> Iterator[RelayJob]:
        for metric, some in self._waiting.items():
            yield from self._jobs(metric, some)
        self._waiting = {}

    def _jobs(self, metric: str, entries: Sequence[OutboxEntry]) -> Iterator[RelayJob]:
        columns, _ = from_all_bytes([entry.content for entry in entries])
        # Of equal samples, the receiver must store the one received last.
        columns = latest(columns)
        bundle = _bundle(entries, partial(samples_content, columns), self._settle)
        places = np.array_split(np.arange(len(columns)), -(-len(columns) // self._wire.most))
        bundle.split(len(places))
        for some in places:
            yield SamplesJob(self._wire, metric, columns, some, bundle)


class _Profiles(Batching):
    """Joins the attributes of a user, and the users that have the same names."""

    def __init__(self, wire: ProfilesWire, settle: Callable[[Settled], None]) -> None:
        super().__init__(settle)
        self._wire = wire
        self._build = partial(profiles_request, wire)
        self._entries: list[OutboxEntry] = []
        self._attributes: dict[str, str] = {}
        self._waiting: dict[tuple[str, ...], list[ItemPart]] = {}

    def put(self, entry: OutboxEntry) -> Iterator[RelayJob]:
        self._entries.append(entry)
        self._attributes |= _attributes_of(entry)
        yield from ()

    def end_user(self) -> Iterator[RelayJob]:
        if not self._entries:
            return
        bundle = _bundle(self._entries, attributes_content, self._settle)
        pairs, most = list(self._attributes.items()), self._wire.most_names
        parts = [dict(pairs[i : i + most]) for i in range(0, len(pairs), most)] or [{}]
        bundle.split(len(parts))
        self._entries, self._attributes = [], {}
        for part in parts:
            names = tuple(part)
            some = self._waiting.setdefault(names, [])
            some.append(ItemPart(bundle, part))
            if len(some) == self._wire.most_rows:
                yield self._job(self._waiting.pop(names))

    def finish(self) -> Iterator[RelayJob]:
        yield from self.end_user()
        for some in self._waiting.values():
            yield self._job(some)
        self._waiting = {}

    def _job(self, items: Sequence[ItemPart]) -> RelayJob:
        weight = sum(map(len, items[0].content)) * len(items) * 2
        return ItemsJob(self._wire.read, self._build, items, weight)


class _Single(Batching):
    """One item in a request, which is read when it is sent."""

    def __init__(
        self,
        wire: DocumentsWire | ImagesWire,
        settle: Callable[[Settled], None],
        read: Callable[[OutboxEntry], Request | None],
    ) -> None:
        super().__init__(settle)
        self._wire = wire
        self._read = read

    def put(self, entry: OutboxEntry) -> Iterator[RelayJob]:
        bundle = _bundle([entry], item_content, self._settle)
        yield ItemsJob(self._wire.read, self._build, [ItemPart(bundle, entry)], ITEM_WEIGHT)

    def _build(self, items: Sequence[ItemPart]) -> Request | None:
        return self._read(items[0].content)


def batching(
    wire: AnyWire, project: str, store: Items, blobs: Blobs, settle: Callable[[Settled], None]
) -> Batching:
    """What makes requests of a wire.

    Args:
        wire: the format of the requests.
        project: of the items.
        store: has documents and images.
        blobs: has the bytes of images.
        settle: called with the outcome of entries.
    """

    def document(entry: OutboxEntry) -> Request | None:
        found = store.document(project, entry.content.decode())
        if found is None:
            return None
        return document_request(typed, entry.user_id, found.upload_id, found.type, found.data)

    def image(entry: OutboxEntry) -> Request | None:
        found = store.numbered_image(project, int(entry.content))
        content = None if found is None else blobs.get(found.blob)
        if found is None or content is None:
            return None
        # Without the name in its URL, which is a secret.
        name = f"{found.image_id}.{found.media_type.removeprefix('image/')}"
        return image_request(typed, entry.user_id, name, content)

    typed: Any = wire
    match wire:
        case SamplesWire():
            return _Samples(wire, settle)
        case ProfilesWire():
            return _Profiles(wire, settle)
        case DocumentsWire():
            return _Single(wire, settle, document)
        case ImagesWire():
            return _Single(wire, settle, image)

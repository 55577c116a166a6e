"""The base of the suites, and records for tests with defaults for what a test leaves open."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from msgspec import Struct
from msgspec.structs import replace

from uptake.model.items import Attributes
from uptake.model.shares import TIED, Part
from uptake.model.submission import Fault, Resolved
from uptake.samples.blocks import sequences
from uptake.samples.columns import COLUMNS, DIGEST_BYTES, Columns, from_bytes, to_bytes
from uptake.samples.metrics import Metric
from uptake.store.base import BatchQueries, Commits, Store
from uptake.store.definitions import DEFAULT_PROJECT, Key
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    Record,
    RejectionRecord,
    Written,
)
from uptake.store.stored import StoredBatch

NOON = 1_700_000_000_000_000
"""A moment at which entries are received: microseconds since the epoch, in 2023."""

EVER = (-(1 << 62), 1 << 62)
"""A time that contains every sample."""

Value = TypeVar("Value")
_numbers = count()


def written_by(store: Commits, entries: Sequence[Entry]) -> list[tuple[Written, ...]]:
    """Commit entries; the outcome of each record of each."""
    return [committed.written for committed in store.commit(entries)]


def unique(prefix: str) -> str:
    """A name that was never used before; later ones sort after earlier ones."""
    return f"{prefix}-{next(_numbers):08d}"


def digest_of(text: str) -> bytes:
    """SHA-256 of a text: a digest of the right form for every record."""
    return hashlib.sha256(text.encode()).digest()


def entry(
    *records: Record,
    project: str = DEFAULT_PROJECT,
    received_at: int = NOON,
    rejections: tuple[RejectionRecord, ...] = (),
    resolves: Resolved | None = None,
) -> Entry:
    """An entry with these records."""
    return Entry(
        project, unique("request"), received_at, records, rejections, "samples", "key-1", resolves
    )


def put(store: Commits, *records: Record, **members: Any) -> Entry:
    """Commit one entry with these records, and return it; `members` as of `entry`."""
    made = entry(*records, **members)
    store.commit([made])
    return made


def existing(value: Value | None) -> Value:
    """Return what a query found; fails if it found nothing."""
    assert value is not None
    return value


def columns_of(
    store: BatchQueries, user_id: str, *, project: str = DEFAULT_PROJECT, metric: Metric = "steps"
) -> list[bytes]:
    """Return the contents of all batches of a user and a metric, in the order received."""
    return contents_of(store.batches(project, user_id, metric, *EVER))


class StoredContent(Struct, frozen=True):
    """A batch that may be in a block.

    Attributes:
        user_id, metric, sequence: of the batch.
        first, last: the starts of its first and last sample.
        count: its samples.
        content: what it was made of; see `batch`.
    """

    user_id: str
    metric: Metric
    sequence: int
    first: int
    last: int
    count: int
    content: bytes


def unfolded(found: Iterable[StoredBatch]) -> list[StoredContent]:
    """Return the batches of what a store returned, in the order received."""
    batches = []
    for one in found:
        columns = from_bytes(one.columns)
        sequence = np.full(len(columns), one.sequence)
        if one.directory is not None:
            sequence = sequences(one.directory)
        for number in np.unique(sequence).tolist():
            own = columns.take(sequence == number)
            (device,) = {own.devices[place] for place in own.device.tolist()}
            first, last = int(own.start.min()), int(own.start.max())
            batches.append(
                StoredContent(
                    one.user_id, one.metric, number, first, last, len(own), device.encode()
                )
            )
    return sorted(batches, key=attrgetter("user_id", "metric", "sequence"))


def contents_of(found: Iterable[StoredBatch]) -> list[bytes]:
    """Return the contents of the batches of what a store returned, in the order received."""
    return [batch.content for batch in unfolded(found)]


def attributes(user_id: str, **values: str) -> Attributes:
    """Values of attributes of a user."""
    return Attributes(user_id, tuple(values), list(values.values()))


def document(user_id: str, upload_id: str | None = None, **members: Any) -> DocumentRecord:
    """A document; `members` replace the defaults."""
    record = DocumentRecord(user_id, upload_id or unique("upload"), "visit", b'{"a": 1}')
    return replace(record, **members)


def image(user_id: str, content: str, *, name: str | None = None) -> ImageRecord:
    """An image that was uploaded with this content, under a new name unless it is given."""
    return ImageRecord(
        user_id=user_id,
        upload_digest=digest_of(content),
        uploaded_bytes=len(content) + 10,
        name=name or unique("image") + ".png",
        sha256=digest_of("clean " + content).hex(),
        bytes=len(content),
        blob=f"images/{digest_of(content).hex()}",
        media_type="image/png",
        width=640,
        height=480,
        first_id=1_000_001,
    )


def batch(
    user_id: str, content: str, first: int = 0, last: int | None = None, **members: Any
) -> BatchRecord:
    """A batch of samples of a device with this name, which is its content."""
    last = first if last is None else last
    count = members.pop("count", 1 if first == last else 2)
    numbers = np.zeros((len(COLUMNS), count), np.int64)
    numbers[0] = first
    numbers[0, -1] = last
    numbers[1] = np.arange(count)
    columns = to_bytes(Columns(numbers, np.ones(count), (content,), (None,)))
    digest = digest_of(f"{content} {first} {last} {count}")[:DIGEST_BYTES]
    record = BatchRecord(user_id, "steps", digest, first, last, count, columns, received=count + 1)
    return replace(record, **members)


def rejection(rejection_id: str | None = None, **members: Any) -> RejectionRecord:
    """A rejection with two faults; `members` replace the defaults."""
    faults = (
        Fault("missing", "There is no value", ("data", 3, "value")),
        Fault("blank", 'A name with \u00fc, "quotes" and \U0001f600', ()),
    )
    record = RejectionRecord(
        user_id="",
        rejection_id=rejection_id or unique("rejection"),
        format="samples",
        key_id="key-1",
        position=None,
        faults=faults,
        raw=b"{}",
    )
    return replace(record, **members)


def shared(rejection_id: str, *user_ids: str, tied: bool = False) -> tuple[RejectionRecord, ...]:
    """A rejection about several users, divided by user, or tied to all of them."""
    parts = [TIED if tied else (Part(at, ", ", 1, 4),) for at in range(len(user_ids))]
    return tuple(
        rejection(rejection_id, user_id=user_id, raw=user_id.encode(), parts=own)
        for user_id, own in zip(user_ids, parts, strict=True)
    )


def key(key_id: str, **members: Any) -> Key:
    """A key with a digest that follows from its id; `members` replace the defaults."""
    digest, scopes = digest_of(key_id).hex(), ("samples:write", "data:read")
    return replace(Key(key_id, digest, DEFAULT_PROJECT, scopes, NOON), **members)


class OpensStore:
    """Base of all suites: what a back end's test class implements, and the store of each test."""

    # Its methods are not abstract: pytest does not collect the tests of an abstract class.

    def open_store(self, place: Path) -> Store:
        """Open the store of this folder, or of a name that follows from it; new at first.

        Opening the same place again opens the same store, also while it is open.
        """
        raise NotImplementedError("the test class of a store must define open_store")

    def out_of_reach(self, store: Store, place: Path) -> AbstractContextManager[None]:
        """Make the store unreachable while the block runs; its content stays."""
        raise NotImplementedError("the test class of a store must define out_of_reach")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new store, closed after the test."""
        with closing(self.open_store(tmp_path)) as store:
            yield store

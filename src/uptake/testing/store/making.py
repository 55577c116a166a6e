"""Records for tests, with defaults for everything that a test does not care about."""

import hashlib
from collections.abc import Sequence
from itertools import count

from uptake.model.items import Attributes
from uptake.model.shares import TIED, Part
from uptake.model.submission import Fault, Resolved
from uptake.samples.metrics import Metric
from uptake.store.base import DEFAULT_PROJECT, Commits
from uptake.store.definitions import Key, Rate
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    Record,
    RejectionRecord,
    Written,
)

NOON = 1_700_000_000_000_000
"""A moment at which entries are received: microseconds since the epoch, in 2023."""

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


def attributes(user_id: str, **values: str) -> Attributes:
    """Values of attributes of a user."""
    return Attributes(user_id, tuple(values), list(values.values()))


def document(  # noqa: PLR0913 - a row of a table
    user_id: str,
    upload_id: str | None = None,
    *,
    data: bytes = b'{"a": 1}',
    digest: bytes | None = None,
    otherwise: RejectionRecord | None = None,
    type_name: str = "visit",
    version: int = 1,
) -> DocumentRecord:
    """A document; its id is a new one unless it is given."""
    upload_id = upload_id or unique("upload")
    return DocumentRecord(user_id, upload_id, type_name, data, digest, otherwise, version)


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
    )


def batch(  # noqa: PLR0913, PLR0917 - a row of a table
    user_id: str,
    content: str,
    first: int = 0,
    last: int = 0,
    metric: Metric = "steps",
    count: int = 1,
) -> BatchRecord:
    """A batch with this content as its columns: a store does not decode them."""
    digest = digest_of(content)[:16]
    return BatchRecord(user_id, metric, digest, first, last, count, content.encode(), count + 1)


def rejection(  # noqa: PLR0913 - a row of a table
    rejection_id: str | None = None,
    *,
    user_id: str = "",
    raw: bytes = b"{}",
    raw_blob: str | None = None,
    position: int | None = None,
    parts: tuple[Part, ...] | None = None,
) -> RejectionRecord:
    """A rejection with two faults; its id is a new one unless it is given."""
    faults = (
        Fault("missing", "There is no value", ("data", 3, "value")),
        Fault("blank", 'A name with \u00fc, "quotes" and \U0001f600', ()),
    )
    return RejectionRecord(
        user_id,
        rejection_id or unique("rejection"),
        "samples",
        "key-1",
        position,
        faults,
        raw,
        raw_blob,
        parts=parts,
    )


def shared(rejection_id: str, *user_ids: str, tied: bool = False) -> tuple[RejectionRecord, ...]:
    """A rejection about several users, divided by user, or tied to all of them."""
    parts = [TIED if tied else (Part(at, ", ", 1, 4),) for at in range(len(user_ids))]
    return tuple(
        rejection(rejection_id, user_id=user_id, raw=user_id.encode(), parts=own)
        for user_id, own in zip(user_ids, parts, strict=True)
    )


def key(  # noqa: PLR0913 - a row of a table
    key_id: str,
    *,
    project: str = DEFAULT_PROJECT,
    created_at: int = NOON,
    user: str | None = None,
    rate: Rate | None = None,
    expires_at: int | None = None,
) -> Key:
    """A key with a digest that follows from its id."""
    scopes = ("samples:write", "data:read")
    digest = digest_of(key_id).hex()
    return Key(key_id, digest, project, scopes, created_at, user, rate, expires_at)

"""What a store is handed and hands back when data is erased, or has expired."""

from typing import Any, Literal

from msgspec import Struct


class Erasure(Struct, frozen=True):
    """What was erased of a user.

    Attributes:
        erasure_id: those of one process are in the order of time.
        user_hash: `ids.user_hash` of the user.
        erased_at: moment.
        counts: rows by kind; samples as they were received, repeats included.
        finished_at: when the last bytes had left the blob store; None until then.
    """

    erasure_id: str
    user_hash: str
    erased_at: int
    counts: dict[str, int]
    finished_at: int | None = None


UNKNOWN_USER = "unknown-user"
"""The type of rejections in which no user can be read."""

RetentionKind = Literal["samples", "documents", "images", "rejections", "receipts"]


class RetentionRule(Struct, frozen=True):
    """How long data is kept, counted from when it was received.

    Attributes:
        kind: of data.
        days: how many days.
        type: a metric, a document type, or of rejections `UNKNOWN_USER`; "" for all of the kind.
    """

    kind: RetentionKind
    days: int
    type: str = ""


class Expired(Struct, frozen=True):
    """A page of what was taken away.

    Attributes:
        count: how much of it; samples are counted one by one.
        blobs: what is in no use any more.
        next: where to go on; () at the end.
    """

    count: int
    blobs: tuple[str, ...]
    next: tuple[Any, ...]

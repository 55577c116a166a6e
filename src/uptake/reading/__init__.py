"""Queries over the stored data."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

MAX_CURSOR = 65_536
"""Characters of a cursor, the limit of an HTTP request line. Cursors are shorter than 2000, except
those that contain the name of a device, which has no limit."""

Number = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
"""An instant or a duration in ticks (10 million a second): covers all years of ISO 8601, and days
can be added without overflow."""

Day = Annotated[int, msgspec.Meta(ge=-(10**7), le=10**7)]
"""Days since 1970-01-01: covers all years of ISO 8601."""

Unit = Annotated[int, msgspec.Meta(ge=0, le=255)]
"""The index of a unit."""

ImageId = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
"""The id of an image: a 64-bit column."""

Version = Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]
"""The version of a document type: a 32-bit column."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
"""A user id, or the name of a segment or a document type."""

Uuid = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", max_length=36)
]
"""An id of an upload, a rejection or an erasure."""

RequestId = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9-]*$")]
"""The id of a request, which clients may choose; "" for a position between requests."""

DeviceName = Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)]
"""The name of a device, or "" for all devices; never sent to a database."""


SAMPLE_ZONE = "sample"
"""The value of `zone` for the local time of each sample."""

DEFAULT_LIMIT = 1000
MAX_LIMIT = 10_000
"""Entries of a page."""


class Unknown(Exception):
    """Nothing with this name exists.

    Attributes:
        noun: what was looked up, such as `user`.
        name: its name or id.
        known: the names that exist, if the message should list them.
    """

    def __init__(self, noun: str, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(f"there is no {noun} {name!r}")
        self.noun = noun
        self.name = name
        self.known = known


class BadCursor(ValueError):
    """The cursor is invalid: this server did not issue it."""


def to_cursor(position: object) -> str:
    """Encode a position in a list as an opaque cursor."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def from_cursor(cursor: str, kind: Any) -> Any:
    """Decode a cursor.

    Args:
        cursor: from a client, which may send anything.
        kind: the type of the position, narrow enough that every value of it is safe to use in a
            query and in arithmetic.

    Raises:
        BadCursor: `to_cursor` does not return this cursor for any position of this type.
    """
    reason = "this server did not issue the cursor"
    if len(cursor) > MAX_CURSOR:
        raise BadCursor(reason)
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        position = msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as error:
        raise BadCursor(reason) from error
    if to_cursor(position) != cursor:
        raise BadCursor(reason)
    return position


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a list to return.

    Attributes:
        cursor: `next` of the page before; None or empty for the first page.
        limit: the maximum number of entries.
    """

    cursor: str | None = None
    limit: int = DEFAULT_LIMIT

    def after(self, kind: Any, start: Any = None) -> Any:
        """Return the position of the last entry of the page before, or `start`; see `from_cursor`.

        Raises:
            BadCursor: this server did not issue the cursor.
        """
        return from_cursor(self.cursor, kind) if self.cursor else start

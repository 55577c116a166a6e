"""What can be asked of the kept data."""

import base64
import binascii
from typing import Annotated, Any

import msgspec

MAX_CURSOR = 65_536
"""Characters of a cursor: as many as an HTTP server takes in a request line. All places but those
after a device, whose name has no limit, are shorter than 2000."""

Number = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
"""An instant or a duration in ticks (ten million a second): beyond all years of ISO 8601, and far
enough from overflow that days can be added."""

Day = Annotated[int, msgspec.Meta(ge=-(10**7), le=10**7)]
"""Days since 1970-01-01: beyond all years of ISO 8601."""

Unit = Annotated[int, msgspec.Meta(ge=0, le=255)]
"""The number of a unit."""

ImageId = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
"""The number of an image: a 64-bit column."""

Version = Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]
"""The version of a document type: a 32-bit column."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
"""A user id, or the name of a segment or a document type."""

Uuid = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", max_length=36)
]
"""An id of an upload, a rejection or an erasure."""

DeviceName = Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)]
"""The name of a device, or "" for all of them; it is compared in memory only."""


class Unknown(Exception):
    """There is nothing of that name."""


class BadCursor(ValueError):
    """A cursor that this server did not give."""


def to_cursor(place: object) -> str:
    """A place in a list, in a form that says nothing to its reader."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def from_cursor(cursor: str, kind: Any) -> Any:
    """The place that `to_cursor` was given.

    Args:
        cursor: given by a client, who may have made it up.
        kind: the type of the place. It must be so narrow that every value of it can be given to a
            store and computed with.

    Raises:
        BadCursor: `to_cursor` gives no such cursor for a place of this kind.
    """
    reason = "the cursor was not given by this server"
    if len(cursor) > MAX_CURSOR:
        raise BadCursor(reason)
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        place = msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as error:
        raise BadCursor(reason) from error
    if to_cursor(place) != cursor:
        raise BadCursor(reason)
    return place

"""What can be asked of the kept data."""

import base64
import binascii
from typing import Annotated, Any

import msgspec

Number = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
"""A number in a cursor: one that a store can compare with its own, whoever made the cursor."""


TimeOrderedId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f-]{36}$")]
"""An id in a cursor, as `ids.time_ordered` makes them."""


class Unknown(Exception):
    """There is nothing of that name."""


class BadCursor(ValueError):
    """A cursor that this server did not give."""


def to_cursor(place: object) -> str:
    """A place in a list, in a form that says nothing to its reader."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def from_cursor(cursor: str, kind: Any) -> Any:
    """The place that `to_cursor` was given, of the kind it was.

    Raises:
        BadCursor: it was not made by `to_cursor`.
    """
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise BadCursor("the cursor was not given by this server") from error

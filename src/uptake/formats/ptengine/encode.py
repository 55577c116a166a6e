"""Ptengine's requests from attributes, and the outcome of each row from its answers."""

import re
from collections.abc import Sequence

import msgspec

from uptake.formats.base import BEARER, MALFORMED
from uptake.formats.encoder import ProfilesWire, Rejected, Scalar, Verdict, unreadable
from uptake.formats.ptengine.wire import (
    MAX_FIELDS,
    MAX_NAME,
    MAX_ROWS,
    MAX_VALUE,
    USER_ID,
    Answer,
)

_json = msgspec.json.Encoder()
_answer = msgspec.json.Decoder(Answer)
_ROW_AT_FAULT = re.compile(r"^values\[([0-9]+)\]")


def fault(name: str, value: Scalar) -> str | None:
    """Why section 3 of the page does not allow an attribute, or None."""
    if not name or len(name) > MAX_NAME:
        return f"a name has 1 to {MAX_NAME} characters"
    if name == USER_ID:
        return f"no attribute can be named {USER_ID}"
    text = value if isinstance(value, str) else _json.encode(value).decode()
    if len(text) > MAX_VALUE:
        return f"over {MAX_VALUE} characters"
    return "must not contain a NUL character" if "\0" in name or "\0" in text else None


def body(names: Sequence[str], rows: Sequence[tuple[str, Sequence[Scalar]]]) -> bytes:
    """The body of a request for these users, with `user_id` in the first column."""
    values = [[user_id, *row] for user_id, row in rows]
    return _json.encode({"field_name": [USER_ID, *names], "values": values})


def read(status: int, body: bytes, count: int) -> Verdict:
    """Returns the row that the vendor's message names; then none is stored.

    Raises:
        Unclear: the body is not one of this endpoint.
    """
    try:
        message = _answer.decode(body).msg
    except MALFORMED:
        return unreadable(status, body, stores_others=False)
    if status == 200:
        return Verdict()
    named = _ROW_AT_FAULT.match(message)
    index = int(named[1]) if named and int(named[1]) < count else None
    return Verdict((Rejected(index, "", message),), stores_others=False)


def row_message(message: str) -> str:
    """A message that names a place in its row instead of one in the request."""
    return _ROW_AT_FAULT.sub("values", message, count=1)


WIRES = (
    ProfilesWire(
        name="ptengine",
        path="/v1/user/profiles",
        credential=BEARER,
        read=read,
        most_rows=MAX_ROWS,
        most_names=MAX_FIELDS - 1,
        fault=fault,
        body=body,
        row_message=row_message,
        is_default=True,
    ),
)

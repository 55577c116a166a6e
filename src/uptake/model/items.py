"""The four kinds of item that every wire becomes.

Code below the formats handles these alone, and knows no vendor.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from uptake.samples.columns import Columns
from uptake.samples.metrics import Metric

MAX_USER_ID = 256
"""Characters of a user id; at least one (wire contract, common rules)."""

MAX_ATTRIBUTES = 500
"""Attributes of a user. A request has at most 49 of them, and companies segment by tens to a few
hundred; a row of so many is read, merged and written in under a millisecond."""

MAX_ATTRIBUTE_BYTES = 128 * 1024
"""UTF-8 bytes of a user's names and values together: more than 500 attributes of the greatest
length in ASCII have (89,000), and several times what a single request can bring (34,888)."""

_NUL = re.compile("\0")


class Document(msgspec.Struct, frozen=True):
    """A JSON object of a type that the project knows.

    Attributes:
        user_id: its user.
        type: name of the document type.
        data: the object as JSON text, byte for byte as uploaded.
        idempotency_key: identifies the upload, so that a repeat is recognised.
        bound_user: the user that the API key is bound to. Idempotency keys of different bound
            users, and of unbound API keys, are different keys.
    """

    user_id: str
    type: str
    data: bytes
    idempotency_key: str | None = None
    bound_user: str | None = None


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """Values of some of a user's attributes; other attributes do not change.

    Attributes:
        user_id: their user.
        names: of the attributes, each once; one tuple for all the users of a table.
        values: in the order of the names.
    """

    user_id: str
    names: tuple[str, ...]
    values: Sequence[str]

    def mapping(self) -> dict[str, str]:
        """The values by name."""
        return dict(zip(self.names, self.values, strict=True))


class Image(msgspec.Struct, frozen=True):
    """An image of a user, as uploaded."""

    user_id: str
    content: bytes


class SampleBatch(msgspec.Struct, frozen=True):
    """Samples of one user and one metric that arrived together.

    Attributes:
        user_id: their user.
        metric: their metric.
        columns: the samples, without repeats.
        received: the number that arrived, including repeats.
    """

    user_id: str
    metric: Metric
    columns: Columns
    received: int


Item = Document | Attributes | Image | SampleBatch


def user_id_fault(user_id: str) -> str | None:
    """The reason that a string is not a valid user id; None for a valid one.

    A NUL character is not valid because PostgreSQL cannot store it in text.
    """
    if not user_id:
        return "must not be empty"
    if len(user_id) > MAX_USER_ID:
        return f"must have at most {MAX_USER_ID} characters"
    if _NUL.search(user_id):
        return "must not contain a NUL character"
    return None


def exceeds_limits(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether an upload must not turn the attributes `before` into `after`.

    A user who has more than the limits, from before there were any, can change what is there.
    """
    adds = len(after) > len(before)
    if adds and len(after) > MAX_ATTRIBUTES:
        return True
    size = attribute_bytes(after)
    if size <= MAX_ATTRIBUTE_BYTES:
        return False
    size_before = attribute_bytes(before)
    return size > size_before and (adds or size_before <= MAX_ATTRIBUTE_BYTES)


def attribute_bytes(attributes: Mapping[str, str]) -> int:
    """UTF-8 bytes of names and values."""
    return sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())

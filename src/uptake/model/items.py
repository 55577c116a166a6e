"""The four kinds of item that every wire becomes.

Code below the formats handles these alone, and knows no vendor.
"""

import re
from collections.abc import Sequence

import msgspec

from uptake.samples.columns import Columns
from uptake.samples.metrics import Metric

MAX_USER_ID = 256
"""Characters of a user id; at least one (wire contract, common rules)."""

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

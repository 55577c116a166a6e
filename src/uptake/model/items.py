"""The four kinds of item that every wire becomes.

Nothing below a format knows a vendor: whoever sent an item, it is one of these.
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
        user_id: whom it is about.
        type: name of the document type.
        data: the object as JSON text, byte for byte as it was sent.
        idempotency_key: what its sender calls this upload, so that a repeat is known as one.
        bound_user: the user its sender's API key is bound to. Idempotency keys of different bound
            users, and of unbound API keys, are different keys.
    """

    user_id: str
    type: str
    data: bytes
    idempotency_key: str | None = None
    bound_user: str | None = None


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """Values of some of a user's attributes; those not named stay as they are.

    Attributes:
        user_id: whose they are.
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
    """A picture of or for a user, as it was uploaded."""

    user_id: str
    content: bytes


class SampleBatch(msgspec.Struct, frozen=True):
    """Samples of one user and one metric that arrived together.

    Attributes:
        user_id: whose samples they are.
        metric: what they measure.
        columns: the samples, without repeats.
        received: how many arrived, repeats included.
    """

    user_id: str
    metric: Metric
    columns: Columns
    received: int


Item = Document | Attributes | Image | SampleBatch


def user_id_fault(user_id: str) -> str | None:
    """Say what keeps a string from being a user id, or None when it can be one.

    A NUL character is rejected because PostgreSQL text cannot hold it: an id must mean the
    same user on every engine.
    """
    if not user_id:
        return "must not be empty"
    if len(user_id) > MAX_USER_ID:
        return f"must have at most {MAX_USER_ID} characters"
    if _NUL.search(user_id):
        return "must not contain a NUL character"
    return None

"""What a format says about sending: the shape of `encode.py` in a vendor's folder.

An encoder is as pure as the rest of a format: it makes the bytes of a request and reads what an
answer says about the items. How often, how fast and in which order things are sent is not its
business. Statuses that mean the same on every wire (401, 403, 404, 413, 429, 5xx) are not its
business either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from uptake.formats.base import JSON, Credential

Scalar = str | int | float | bool


MAX_TEXT = 1000
"""Characters of each text that is taken from an answer: it is shown, and kept in the ledger."""


class Rejected(msgspec.Struct, frozen=True):
    """One thing that an answer says against an item; longer texts are cut off.

    Attributes:
        index: the item's position in the request; None when the request as a whole is meant.
        code: stable name of the fault, "" where the vendor has none.
        message: the vendor's words.
        field: the member of the item that is at fault, if that is told.
    """

    index: int | None
    code: str
    message: str
    field: str | None = None

    def __post_init__(self) -> None:
        for name in ("code", "message", "field"):
            text = getattr(self, name)
            if text is not None and len(text) > MAX_TEXT:
                msgspec.structs.force_setattr(self, name, text[:MAX_TEXT])


class Verdict(msgspec.Struct, frozen=True):
    """What an answer says about the items of a request.

    Attributes:
        rejected: what is not kept, with reasons; one item may have several.
        stores_others: whether items that are not rejected are kept; False where one bad item makes
            the vendor turn away the whole request.
        told: what the vendor calls that which it kept, e.g. an upload's id.
        unnamed: some items are rejected and the answer does not say which.
        halt: why there is no sense in sending more like this, for a person.
    """

    rejected: tuple[Rejected, ...] = ()
    stores_others: bool = True
    told: str = ""
    unnamed: bool = False
    halt: str = ""


class Unclear(Exception):
    """An answer that this operation does not give: cut off, or another's."""


Read = Callable[[int, bytes, int], Verdict]
"""Reads the answer to a request of so many items: status, body, items.

Raises `Unclear`.
"""


@dataclass(frozen=True, slots=True)
class Wire:
    """What all encoders say.

    Attributes:
        name: as in `--as`: that of the operation.
        path: template with the vendor's names in braces.
        credential: where the key goes.
        read: what an answer means.
    """

    name: str
    path: str
    credential: Credential
    read: Read


@dataclass(frozen=True, slots=True)
class SamplesWire(Wire):
    """A wire that takes samples of one user and one metric, a list at a time.

    Attributes:
        least, most: samples of a request; `most` is at least `2 * least - 1`, so that every number
            from `least` on can be split.
        row: the members of a sample, each with the column it is made from: `device_name`,
            `device_version`, `start_date`, `end_date`, `unit` and `value`. Where a column is null,
            the member is left out.
        opening: what stands before the first sample, of a user and a metric.
        closing: what stands after the last one; between samples stands a comma.
        user_from_key: the wire has no place for the user; it is the one the key is bound to.
    """

    least: int
    most: int
    row: tuple[tuple[str, str], ...]
    opening: Callable[[str, str], bytes]
    closing: bytes
    user_from_key: bool = False
    media: str = JSON


@dataclass(frozen=True, slots=True)
class ProfilesWire(Wire):
    """A wire that takes attributes of several users, each with the same names.

    Attributes:
        most_rows: users of a request.
        most_names: attributes of a request, the user's id not counted.
        fault: what keeps an attribute of this name and value from being sent, or None.
        body: names, and for each user the id and the values in the order of the names.
    """

    most_rows: int
    most_names: int
    fault: Callable[[str, Scalar], str | None]
    body: Callable[[Sequence[str], Sequence[tuple[str, Sequence[Scalar]]]], bytes]
    media: str = JSON


@dataclass(frozen=True, slots=True)
class DocumentsWire(Wire):
    """A wire that takes one JSON object of a type, about a user.

    Attributes:
        type_in_path: the name in `path` that the document type fills.
        headers: what else a request carries, made from a key that names its content.
        body: user, and the object as JSON text.
    """

    type_in_path: str
    headers: Callable[[str], Mapping[str, str]]
    body: Callable[[str, bytes], bytes]
    media: str = JSON


@dataclass(frozen=True, slots=True)
class ImagesWire(Wire):
    """A wire that takes one image of a user.

    Attributes:
        user_in_path: the name in `path` that the user fills.
        user_fault: why a user of this id cannot be sent, or None.
        most_bytes: of an image.
        form: media type and body, made from a file's name and its content.
    """

    user_in_path: str
    user_fault: Callable[[str], str | None]
    most_bytes: int
    form: Callable[[str, bytes], tuple[str, bytes]]


AnyWire = SamplesWire | ProfilesWire | DocumentsWire | ImagesWire

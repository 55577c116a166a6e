"""The shape of `encode.py` in a vendor's folder: how the uploader sends items to the vendor.

An encoder is as pure as the rest of a format: it makes the bytes of a request and reads the outcome
of each item from an answer. It decides neither when nor how often a request is sent. Statuses that
mean the same for every vendor (401, 403, 404, 413, 429, 5xx) are the uploader's business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from uptake.formats.base import JSON, Credential

Scalar = str | int | float | bool

_json = msgspec.json.Encoder()

MAX_TEXT = 1000
"""Characters of each text that is taken from an answer, as the text is stored in the ledger."""


class Rejected(msgspec.Struct, frozen=True):
    """One fault that an answer names; longer texts are cut off.

    Attributes:
        index: the item's position in the request; None for the request as a whole.
        code: stable name of the fault, "" if the vendor has none.
        message: the vendor's message.
        field: the member of the item that has the fault, if the answer names it.
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
    """The outcome of a request's items, from its answer.

    Attributes:
        rejected: faults; one item may have several.
        stores_others: whether items without a fault are stored; False if the vendor rejects a
            whole request for one item.
        reference: the vendor's name for what it stored, e.g. the id of an upload.
        unnamed: some items are rejected and the answer does not name them.
        halt: why sending more of the same kind would be pointless.
    """

    rejected: tuple[Rejected, ...] = ()
    stores_others: bool = True
    reference: str = ""
    unnamed: bool = False
    halt: str = ""


class Unclear(Exception):
    """The answer is truncated, or is not one of this endpoint."""


def unreadable(
    status: int, body: bytes, index: int | None = None, *, stores_others: bool = True
) -> Verdict:
    """The verdict of a body that is not one of the operation: its text, if the status is an error.

    Raises:
        Unclear: the status is none.
    """
    if status < 400:
        raise Unclear(f"{status} with a body that is not one of this endpoint")
    text = body.decode("utf-8", "replace").strip()
    return Verdict((Rejected(index, "", text),), stores_others)


Read = Callable[[int, bytes, int], Verdict]
"""Reads an answer, from its status, its body and the number of items in the request.

Raises `Unclear`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What all encoders have.

    Attributes:
        name: the name of the operation, as in `--as`.
        path: template with the vendor's names in braces.
        credential: where the API key goes.
        read: reads an answer.
        is_default: whether items of this kind are sent to it when `--as` is not given.
    """

    name: str
    path: str
    credential: Credential
    read: Read
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWire(Wire):
    """A wire that registers one user with attributes. Relays send to it.

    Attributes:
        sources: operations of which the accepted attributes are sent.
        body: the body, from the user and the attributes.
    """

    sources: tuple[str, ...]
    body: Callable[[str, Mapping[str, str]], bytes]
    media: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesWire(Wire):
    """A wire that takes a JSON object with a list of samples of one user and one metric.

    The uploader also reads such objects, on the lines of NDJSON files.

    Attributes:
        least, most: samples in a request; `most` is at least `2 * least - 1`, so that every number
            of samples from `least` on can be split.
        row: the members of a sample, each with its column: `device_name`, `device_version`,
            `start_date`, `end_date`, `unit` or `value`. Members without a value are left out.
        metric_member, samples_member: the members with the metric and with the list.
        user_member: the member with the user; None if requests do not name the user, who is the one
            that the API key is bound to.
        registration: registers the users of samples; None if the vendor does not require it.
    """

    least: int
    most: int
    row: tuple[tuple[str, str], ...]
    metric_member: str
    samples_member: str
    user_member: str | None
    registration: RegistrationWire | None = None
    media: str = JSON

    @property
    def user_from_key(self) -> bool:
        """Whether the user is the one that the API key is bound to."""
        return self.user_member is None

    def body(self, user_id: str, metric: str, samples: bytes) -> bytes:
        """The body of a request; `samples` are JSON objects, separated by commas."""
        members = {} if self.user_member is None else {self.user_member: user_id}
        members[self.metric_member] = metric
        head = _json.encode(members)[:-1] + b"," + _json.encode(self.samples_member)
        return b"".join((head, b":[", samples, b"]}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesWire(Wire):
    """A wire that takes attributes of several users, all with the same names.

    Attributes:
        most_rows: users in a request.
        most_names: attributes in a request, without the user id.
        fault: why an attribute with this name and value cannot be sent, or None.
        body: the body, from the names and, for each user, the id and the values in the order of
            the names.
        row_message: a message without the position of its row in the request.
    """

    most_rows: int
    most_names: int
    fault: Callable[[str, Scalar], str | None]
    body: Callable[[Sequence[str], Sequence[tuple[str, Sequence[Scalar]]]], bytes]
    row_message: Callable[[str], str]
    media: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsWire(Wire):
    """A wire that takes a JSON object with a document, itself an object, and its user.

    The uploader also reads such objects from files.

    Attributes:
        type_in_path: the name in `path` that the document type replaces.
        headers: further headers, from a key that identifies the document.
        user_path: the members that lead to the user.
        document_member: the member with the document.
    """

    type_in_path: str
    headers: Callable[[str], Mapping[str, str]]
    user_path: tuple[str, ...]
    document_member: str
    media: str = JSON

    def body(self, user_id: str, document: bytes) -> bytes:
        """The body of a request, from the document as JSON text."""
        members: object = user_id
        for name in reversed(self.user_path):
            members = {name: members}
        head = _json.encode(members)[:-1] + b"," + _json.encode(self.document_member)
        return b"".join((head, b":", document, b"}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesWire(Wire):
    """A wire that takes one image of one user.

    Attributes:
        user_in_path: the name in `path` that the user replaces.
        user_fault: why an image of this user cannot be sent, or None.
        most_bytes: the largest image.
        form: media type and body, from the file's name and content.
    """

    user_in_path: str
    user_fault: Callable[[str], str | None]
    most_bytes: int
    form: Callable[[str, bytes], tuple[str, bytes]]


AnyWire = SamplesWire | ProfilesWire | DocumentsWire | ImagesWire


def within(wire: AnyWire, limits: Mapping[str, int]) -> AnyWire:
    """The wire within the limits that a server states (`UploadOperation.limits`).

    A server can narrow the limits that the vendor documents, and not widen them.
    """

    def most(name: str, documented: int) -> int:
        return max(1, min(documented, limits.get(name, documented)))

    match wire:
        case SamplesWire():
            least = max(wire.least, limits.get("min_items", wire.least))
            at_most = most("max_items", wire.most)
            # Otherwise some numbers of samples cannot be split into requests.
            return wire if at_most < 2 * least - 1 else replace(wire, least=least, most=at_most)
        case ProfilesWire():
            rows, names = most("max_items", wire.most_rows), most("max_attributes", wire.most_names)
            return replace(wire, most_rows=rows, most_names=names)
        case ImagesWire():
            return replace(wire, most_bytes=most("max_image_bytes", wire.most_bytes))
        case DocumentsWire():
            return wire

"""Formats and their operations: the shape that every vendor's folder fills in.

A format is pure: it does no I/O, reads no clock and does not know the store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import msgspec

from uptake.model.problems import Problem, json_reason
from uptake.model.receipt import Receipt, StoredImage
from uptake.model.submission import Owners, Submission

JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of a JSON body after decompression (wire contract, common rules)."""

ACTION_BODY_LIMIT = 64 * 1024
"""Bytes of the body of an operation that stores nothing: it has a few members."""

IMAGE_LIMIT = 20 * 1024 * 1024
"""Bytes of an image (wire contract, common rules)."""

IMAGES_PATH = "/images/"
"""Path below which the server serves images by name."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

PARTIAL = 207
"""Status of an answer to a request of which some items are accepted and others rejected."""


class Place(Enum):
    """The part of a request that carries the API key."""

    BEARER = "bearer"
    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Credential:
    """A place that a vendor documents for the API key.

    Attributes:
        place: the part of the request.
        name: the name of the header or of the query parameter.
    """

    place: Place
    name: str

    @property
    def label(self) -> str:
        """What messages call this place."""
        match self.place:
            case Place.BEARER:
                return "the header Authorization: Bearer KEY"
            case Place.HEADER:
                return f"the header {self.name}"
            case Place.QUERY:
                return f"the query parameter {self.name}"

    def carry(self, key: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the headers and the query parameters of a request with this API key."""
        match self.place:
            case Place.BEARER:
                return {self.name: f"Bearer {key}"}, {}
            case Place.HEADER:
                return {self.name: key}, {}
            case Place.QUERY:
                return {}, {self.name: key}


BEARER = Credential(Place.BEARER, "authorization")


class WireRequest(msgspec.Struct, frozen=True):
    """A request as a format sees it.

    Attributes:
        request_id: returned in `X-Request-Id`.
        received_at: microseconds since the epoch.
        url: the requested address, without the query.
        public_url: the server's address from outside, without a slash at the end.
        path: the values of the parts in braces of the operation's path.
        headers: names in lower case.
        body: all of it, decompressed; empty when a problem occurred before the body was read.
        credential: where the request carried its API key.
        bound_user: the user that the API key is bound to.
        query: the query parameters; of a repeated one the first. Empty for uploads.
        form: the fields of a body of the type `FORM`; of a repeated one the first.
    """

    request_id: str
    received_at: int
    url: str
    public_url: str
    path: Mapping[str, str] = msgspec.field(default_factory=dict)
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    credential: Credential | None = None
    bound_user: str | None = None
    query: Mapping[str, str] = msgspec.field(default_factory=dict)
    form: Mapping[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WireReply:
    """An answer in the vendor's form; always JSON."""

    status: int
    body: bytes


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method and a path of a vendor's API.

    Its route, its part of the OpenAPI document, its vectors and its section of
    `docs/reference/endpoints.md` follow from it. A subclass is a kind of operation: it adds the
    functions of that kind, and `http/app.py` has the handler for it.

    Attributes:
        name: unique among all formats, e.g. `gerosense-v2.2`.
        summary: one line for the documentation.
        path: template with the vendor's names in braces.
        scope: the scope that the API key needs; "" if any valid API key may be used.
        other_scopes: scopes of which each permits the operation too.
        credentials: the places that may carry the API key; the first one present is used. Without
            any, the operation needs no key.
        answers: status to the type of the answer.
        headers: name to description of the request headers that the operation reads.
        user_from_key: the user is the one that the API key is bound to; 403 for an unbound key.
        operation_id: the name of a function that calls it, in a generated client; without it, the
            name without the format's.
        request_type: the type of a JSON body.
        request_schema: the JSON Schema of a body that is not JSON.
        request_media: media type of the body.
        body_limit: bytes of the body after decompression.
        body_required: whether the body must not be empty.
    """

    name: str
    summary: str
    path: str
    scope: str
    credentials: tuple[Credential, ...]
    answers: Mapping[int, Any]
    method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    user_from_key: bool = False
    other_scopes: tuple[str, ...] = ()
    operation_id: str = ""
    request_type: Any = None
    request_schema: Mapping[str, Any] = field(default_factory=dict)
    request_media: str = JSON
    body_limit: int = JSON_LIMIT
    body_required: bool = True

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self.request_media == JSON

    @property
    def has_body(self) -> bool:
        """Whether requests have a body."""
        return self.request_type is not None or bool(self.request_schema)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of which the API key needs one."""
        return (self.scope, *self.other_scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOperation(Operation):
    """An operation that stores what its request contains.

    Attributes:
        decode: returns the request's submission; must not raise, whatever the bytes are.
        find_users: returns the users that a rejected request names, as far as they can be read;
            must not raise, whatever the bytes are.
        reply: returns the answer to a request that was decoded and validated.
        decode_item: for operations that validate each item: decodes one rejected item, from
            `Rejection.raw`, its user and its `Rejection.context`.
        inline: whether a small body takes about a millisecond to decode and validate, which the
            server then does on its event loop.
        limits: other limits of a request, by their public names: `min_items`, `max_items`,
            `max_attributes`, `max_image_bytes`.
        first_image_id: the number of the first image of a project, if this operation stores it.
        rate_windows: names of windows of an API key's rates, by their seconds, for which a response
            has headers with this name at their end.
        is_endpoint: whether it is one of the endpoints that data is sent to. Other uploads are
            calls that the vendor's clients make around these.
        registered_users_only: in a project that requires the registration of users, the users of
            its items must be known: 404 for others.
    """

    decode: Callable[[WireRequest], Submission]
    find_users: Callable[[WireRequest], Owners]
    reply: Callable[[Receipt, WireRequest], WireReply]
    decode_item: Callable[[bytes, str, Mapping[str, str]], Submission] | None = None
    inline: bool = True
    limits: Mapping[str, int] = field(default_factory=dict)
    first_image_id: int = 1
    rate_windows: Mapping[int, str] = field(default_factory=dict)
    is_endpoint: bool = True
    registered_users_only: bool = False

    @property
    def all_limits(self) -> dict[str, int]:
        """The limits of a request, that of its body included."""
        return {"max_body_bytes": self.body_limit, **self.limits}

    def status_of(self, accepted: int, rejected: int) -> int:
        """The status of the answer to a request with so many accepted and rejected items."""
        if not rejected:
            return 200
        if accepted and PARTIAL in self.answers:
            return PARTIAL
        return min(status for status in self.answers if status >= 400)


class ListImages(msgspec.Struct, frozen=True):
    """Returns stored images as `list[StoredImage]`, the last stored first.

    Attributes:
        user_id: the user that has them; None for all images of the project.
        skip, limit: how many are left out, and how many follow at most.
    """

    user_id: str | None
    skip: int
    limit: int


class GetImage(msgspec.Struct, frozen=True):
    """Returns the `StoredImage` of a user with this number."""

    user_id: str
    image_id: int


class DeleteImage(msgspec.Struct, frozen=True):
    """Deletes the image with this number, and returns its `StoredImage`."""

    image_id: int


class GetAccount(msgspec.Struct, frozen=True):
    """Returns the `Account` of the API key."""


class Account(msgspec.Struct, frozen=True):
    """The project of an API key, and the scopes and the user of the key."""

    project: str
    scopes: tuple[str, ...]
    user: str | None = None


class AskVendor(msgspec.Struct, frozen=True):
    """Returns the `WireReply` of the vendor of a relay; None without one. A `fault` is an error."""

    user_id: str
    format: str
    path: str
    query: Mapping[str, str] = {}
    body: bytes = b""
    fault: str = ""


class IssueToken(msgspec.Struct, frozen=True):
    """Returns a new access token for the API key `secret`; for operations without a key."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"IssueToken(key_id={self.key_id!r})"


class AccessToken(msgspec.Struct, frozen=True):
    """A text that serves as an API key for some time."""

    text: str


class GetStatus(msgspec.Struct, frozen=True):
    """Returns the `ServerStatus`; for operations without a key."""


class ServerStatus(msgspec.Struct, frozen=True):
    """Whether the server takes uploads now."""

    accepts_uploads: bool


Action = ListImages | GetImage | DeleteImage | GetAccount | AskVendor | GetStatus | IssueToken
"""What the server does for an `ActionOperation`."""

ActionResult = StoredImage | list[StoredImage] | Account | ServerStatus | AccessToken | WireReply


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOperation(Operation):
    """An operation that reads or deletes what is stored.

    Attributes:
        action: returns what the server does; raises `Problem` for an invalid request.
        answer: returns the answer, from the result of the action.
        parameters: name of a query parameter to its JSON Schema.
    """

    action: Callable[[WireRequest], Action]
    answer: Callable[[Any, WireRequest], WireReply]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    body_limit: int = ACTION_BODY_LIMIT


@dataclass(frozen=True, slots=True)
class Format:
    """A vendor's API.

    Attributes:
        package: the package that has it, with its README and its vectors; `__name__` in its
            `__init__.py`.
        vendor: the vendor's name in the vendor's spelling.
        prefixes: paths below which unknown addresses are answered in the vendor's envelope.
        operations: what can be requested.
        reject: returns a problem in the vendor's envelope.
        problem_type: type of that envelope, for OpenAPI.
    """

    package: str
    vendor: str
    prefixes: tuple[str, ...]
    operations: Sequence[Operation]
    reject: Callable[[Problem, WireRequest], WireReply]
    problem_type: Any

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.package.rpartition(".")[2]

    @property
    def uploads(self) -> list[UploadOperation]:
        """The operations that store something."""
        return [one for one in self.operations if isinstance(one, UploadOperation)]

    @property
    def endpoints(self) -> list[UploadOperation]:
        """The endpoints that data is sent to."""
        return [one for one in self.uploads if one.is_endpoint]

    @property
    def actions(self) -> list[ActionOperation]:
        """The operations that read or delete what is stored."""
        return [one for one in self.operations if isinstance(one, ActionOperation)]


BOM = b"\xef\xbb\xbf"

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for malformed bytes."""

_encoder = msgspec.json.Encoder()


def answer(status: int, body: object) -> WireReply:
    """An answer with this JSON body."""
    return WireReply(status, _encoder.encode(body))


def without_bom(content: bytes) -> bytes:
    """JSON text without the byte order mark that some programs write before it (RFC 8259, 8.1)."""
    return content.removeprefix(BOM)


def parse(body: bytes) -> Any:
    """Returns a JSON value.

    Raises:
        ValueError: the bytes are not JSON, not UTF-8, nested too deep, or have a number that Python
            cannot represent.
    """
    try:
        return msgspec.json.decode(body)
    except MALFORMED as error:
        raise ValueError(json_reason(error)) from None

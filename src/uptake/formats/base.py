"""What a format is: the shape that every vendor's folder fills in.

A format is pure. `decode` turns a request into a submission, `reply` turns the receipt into the
vendor's answer, `reject` puts a problem into the vendor's envelope; none of them does I/O, asks
the time or knows the store.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from uptake.model.problems import Problem, json_reason
from uptake.model.receipt import Receipt
from uptake.model.submission import Owners, Submission

JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of a JSON body after decompression (wire contract, common rules)."""

IMAGE_LIMIT = 20 * 1024 * 1024
"""Bytes of an image (wire contract, common rules)."""

IMAGES_PATH = "/images/"
"""Where the server serves kept images; an image's name follows."""

JSON = "application/json"

PARTIAL = 207
"""Status of an answer that some items are accepted and others are not."""


class Place(Enum):
    """Where in a request a key is carried."""

    BEARER = "bearer"
    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Credential:
    """A place that a vendor documents for its key; `name` is the header's or parameter's."""

    place: Place
    name: str


BEARER = Credential(Place.BEARER, "authorization")


class WireRequest(msgspec.Struct, frozen=True):
    """A request as a format sees it.

    Attributes:
        request_id: told back in `X-Request-Id`.
        received_at: microseconds since the epoch.
        url: the address asked for, without the query.
        public_url: the address under which the server is reached from outside, no slash at the end.
        path: the values of the parts in braces of the operation's path.
        headers: names in lower case.
        body: all of it, decompressed; empty while a problem is told that came before the body.
        credential: the place in which the key stood.
        bound_user: the user the key is bound to.
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


@dataclass(frozen=True, slots=True)
class WireReply:
    """An answer in the vendor's own form; always JSON."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Operation:
    """One upload address of a vendor.

    Attributes:
        name: unique among all formats, e.g. `gerosense-v2.2`.
        summary: one line for the documentation.
        path: template with the vendor's names in braces.
        scope: what a key needs to send here.
        credentials: the places a key may stand in, the first one present counts.
        decode: the request's submission; never raises for any bytes whatever.
        find_users: the users that a request is about, for one that is rejected as a whole, as far
            as they can be read; never raises for any bytes whatever.
        reply: the answer to a request that was decoded and judged.
        body_limit: bytes of the body after decompression.
        decode_item: for wires that judge each item: one of them alone, as `Rejection.raw`, with the
            user and the `Rejection.context` it had.
        user_from_key: the user is the one the key is bound to; an unbound key is forbidden.
        request_type: type that describes the body, for OpenAPI; None for an image upload.
        request_media: media type of the body.
        answers: status to the type of the answer, for those given by `reply`.
        headers: name to description of the request headers that mean something here.
    """

    name: str
    summary: str
    path: str
    scope: str
    credentials: tuple[Credential, ...]
    decode: Callable[[WireRequest], Submission]
    find_users: Callable[[WireRequest], Owners]
    reply: Callable[[Receipt, WireRequest], WireReply]
    answers: Mapping[int, Any]
    request_type: Any = None
    request_media: str = JSON
    body_limit: int = JSON_LIMIT
    decode_item: Callable[[bytes, str, Mapping[str, str]], Submission] | None = None
    user_from_key: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def status_of(self, accepted: int, rejected: int) -> int:
        """The status of the answer about so many items."""
        if not rejected:
            return 200
        if accepted and PARTIAL in self.answers:
            return PARTIAL
        return min(status for status in self.answers if status >= 400)


@dataclass(frozen=True, slots=True)
class Format:
    """A vendor's wire.

    Attributes:
        name: that of its folder.
        vendor: as the vendor writes itself.
        prefixes: paths below which every address is this vendor's, so that one that does not
            exist is answered in its envelope.
        operations: its upload addresses.
        reject: a problem in the vendor's envelope.
        problem_type: type of that envelope, for OpenAPI.
    """

    name: str
    vendor: str
    prefixes: tuple[str, ...]
    operations: tuple[Operation, ...]
    reject: Callable[[Problem, WireRequest], WireReply]
    problem_type: Any


BOM = b"\xef\xbb\xbf"

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""

_encoder = msgspec.json.Encoder()


def answer(status: int, body: object) -> WireReply:
    """An answer with this JSON body."""
    return WireReply(status, _encoder.encode(body))


def without_bom(content: bytes) -> bytes:
    """JSON text without the byte order mark that some programs put before it (RFC 8259, 8.1)."""
    return content.removeprefix(BOM)


def parse(body: bytes) -> Any:
    """Any JSON value, with numbers that Python can hold.

    Raises:
        ValueError: it is not JSON, not UTF-8, or nested too deep; the message says where.
    """
    try:
        return msgspec.json.decode(body)
    except MALFORMED as error:
        raise ValueError(json_reason(error)) from None

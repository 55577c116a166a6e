"""What the vendors' rules share: a request, an answer, what is known and what was kept."""

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, NoReturn, Protocol


@dataclass(frozen=True)
class Request:
    """A request with its whole body, its path still escaped and its query decoded."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer; without a body where the vendor's document shows none.

    Attributes:
        status: its status.
        body: what is sent as JSON, if anything is.
        rejected: for the tests alone: what was not kept, and why.
    """

    status: int
    body: Any = None
    rejected: str = ""


class Rejected(Exception):
    """The request breaks a rule.

    Attributes:
        status: the status of the answer.
        reasons: what is wrong, each with its place, the first being the main one.
    """

    def __init__(self, status: int, *reasons: tuple[tuple[str | int, ...], str]) -> None:
        super().__init__("; ".join(why for _, why in reasons))
        self.status = status
        self.reasons = reasons


@dataclass
class Known:
    """What a vendor has agreed with its customer.

    Attributes:
        keys: the keys that are valid, and the user of each that is one user's own token.
        powerless: keys that are valid but have no permission.
        types: the agreed types of documents.
    """

    keys: dict[str, str | None]
    powerless: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)


@dataclass
class Kept:
    """What was accepted, in order of arrival, repetitions included; take `lock` to change it.

    Attributes:
        samples: by user: type and sample as it was sent.
        attributes: by user: value by name, the last one sent.
        documents: by user: type and data.
        images: by user: the bytes of each.
    """

    samples: dict[str, list[tuple[str, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    attributes: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    documents: dict[str, list[tuple[str, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    images: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)


class Vendor(Protocol):
    """What each vendor's module is."""

    PREFIX: str
    """Every path that begins so is the vendor's."""

    def answer(self, request: Request, known: Known, kept: Kept) -> Answer:
        """Keep what is sent; raises `Rejected`."""

    def rejection(self, rejected: Rejected) -> Answer:
        """The answer that says so."""


def reject(status: int, why: str, *place: str | int) -> NoReturn:
    """Reject for one reason.

    Raises:
        Rejected: always.
    """
    raise Rejected(status, (place, why))


def admit(known: Known, key: str | None) -> str:
    """The key, when it may be used.

    Raises:
        Rejected: it is missing or unknown (401), or has no permission (403).
    """
    if key is not None and key in known.powerless:
        reject(403, "the key has no permission")
    if key is None or key not in known.keys:
        reject(401, "the key is missing or not known")
    return key


def bearer(headers: Message) -> str | None:
    """The token of the one `Authorization: Bearer` header, if there is one."""
    values = headers.get_all("Authorization", [])
    if len(values) != 1 or not values[0].startswith("Bearer "):
        return None
    return str(values[0].removeprefix("Bearer "))


def check_method(request: Request) -> None:
    """All five endpoints are POST.

    Raises:
        Rejected: it is another (405).
    """
    if request.method != "POST":
        reject(405, "the method is POST")


def check_plain(request: Request) -> None:
    """No document offers a content encoding, so none is taken.

    Raises:
        Rejected: the body is encoded (415).
    """
    if "Content-Encoding" in request.headers:
        reject(415, "no Content-Encoding is taken")


def json_body(request: Request, status: int) -> Any:
    """The JSON of a body that says that it is JSON.

    Raises:
        Rejected: with `status`: another or no Content-Type, or not JSON (RFC 8259) in UTF-8.
    """
    media_type = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        reject(status, "Content-Type is not application/json", "header", "Content-Type")
    try:
        return json.loads(request.body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reject(status, f"not JSON: {error}", "body")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

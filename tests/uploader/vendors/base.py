"""Shared by the vendors' modules: requests, answers, configuration, stored data, common checks."""

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, NoReturn, Protocol


@dataclass(frozen=True)
class Request:
    """A request with its body. The path is still percent-encoded, the query is decoded."""

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
        body: sent as JSON, if present.
        rejected: for the tests only: the rejected parts and the reasons.
    """

    status: int
    body: Any = None
    rejected: str = ""


class Rejected(Exception):
    """The request breaks a rule.

    Attributes:
        status: the status of the answer.
        reasons: each error with its place; the first is the main one.
    """

    def __init__(self, status: int, *reasons: tuple[tuple[str | int, ...], str]) -> None:
        super().__init__("; ".join(why for _, why in reasons))
        self.status = status
        self.reasons = reasons


@dataclass
class Known:
    """What a vendor has agreed with its customer.

    Attributes:
        keys: the valid keys, and the user of each key that is a token of one user.
        powerless: valid keys without permissions.
        types: the agreed types of documents.
    """

    keys: dict[str, str | None]
    powerless: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)


@dataclass
class Stored:
    """The accepted data in order of arrival, with repetitions. Take `lock` to change it.

    Attributes:
        samples: by user: type and sample as sent.
        attributes: by user: the last value by name.
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
    """The interface of each vendor's module."""

    PREFIX: str
    """The first characters of every path of the vendor."""

    def answer(self, request: Request, known: Known, stored: Stored) -> Answer:
        """Store the data of a request. Raises `Rejected`."""

    def rejection(self, rejected: Rejected) -> Answer:
        """The answer to a rejected request."""


def reject(status: int, why: str, *place: str | int) -> NoReturn:
    """Reject for one reason.

    Raises:
        Rejected: always.
    """
    raise Rejected(status, (place, why))


def admit(known: Known, key: str | None) -> str:
    """Returns the key if it is valid.

    Raises:
        Rejected: it is missing or unknown (401), or has no permission (403).
    """
    if key is not None and key in known.powerless:
        reject(403, "the key has no permission")
    if key is None or key not in known.keys:
        reject(401, "the key is missing or not known")
    return key


def bearer(headers: Message) -> str | None:
    """The token of the `Authorization: Bearer` header, if there is exactly one."""
    values = headers.get_all("Authorization", [])
    if len(values) != 1 or not values[0].startswith("Bearer "):
        return None
    return str(values[0].removeprefix("Bearer "))


def check_method(request: Request) -> None:
    """All five endpoints are POST.

    Raises:
        Rejected: the method is not POST (405).
    """
    if request.method != "POST":
        reject(405, "the method is POST")


def check_plain(request: Request) -> None:
    """Rejects content encodings, because no document describes one.

    Raises:
        Rejected: the body is encoded (415).
    """
    if "Content-Encoding" in request.headers:
        reject(415, "Content-Encoding is not supported")


def json_body(request: Request, status: int) -> Any:
    """Decode a body with the content type `application/json`.

    Raises:
        Rejected: with `status`: wrong or missing Content-Type, or not JSON (RFC 8259) in UTF-8.
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

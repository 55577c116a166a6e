"""Every cursor, id and limit of the OpenAPI document, with values that no client was given."""

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
import pytest

from uptake.model import ids

from .tenant import Tenant

pytestmark = pytest.mark.usefixtures("served_throughout")

UNKNOWN = ids.derived("nothing has this id")

SOUND_SOMEWHERE: tuple[object, ...] = (-1, 0, 1, 2**31, 2**53, 2**63 - 1, "a", UNKNOWN, {})
"""Places that some list may have given, and most have not: an empty page, or a bad request."""

PLACES: tuple[object, ...] = (
    None,
    True,
    -(2**63),
    2**64 - 1,
    1.5,
    float("nan"),
    "",
    "\0",
    "a\0b",
    "\ud7ff" * 300,
    "x" * 20_000,
    b"\xff",
    [],
    ["a", "b"],
    ["\0", UNKNOWN],
    [0, 0],
    [2**63, 2**63, "d"],
    [2**63, 2**63, "d", 2**63],
    [-(2**63), -(2**63), "\0", 0],
    [0, 0, "d", 256],
    {0: 2**63},
    {2**40: 1},
    {"a": 1},
    [[[[]]]],
)
"""What may stand in a cursor that someone made up: JSON types, ranges, lengths, characters."""

TEXTS = (
    "!",
    "é",
    "\0",
    "AA==",
    "AA ",
    "A",
    "%",
    "../..",
    "k" * 30_000,
    "3KZoZWxsbw",
    base64.urlsafe_b64encode(b"\xa4\xff\xfe\xfd\xfc").decode().rstrip("="),
    base64.urlsafe_b64encode(b"\xa3\xed\xa0\x80").decode().rstrip("="),  # a lone surrogate
    base64.urlsafe_b64encode(b"\xcd\x00\x01").decode().rstrip("="),  # 1, in three bytes
    base64.urlsafe_b64encode(b"\x91" * 10_000).decode().rstrip("="),
)

IDS = (
    "\0",
    "a\0",
    "é",
    "%",
    " ",
    "-1",
    "0",
    str(2**31),
    str(2**63),
    str(2**64),
    "9" * 400,
    "1e400",
    "nan",
    "k" * 4000,
    "\U0010ffff",
    "'",
    UNKNOWN[:-1] + "\0",
)
RAW_IDS = ("%00", "%ff", "%ed%a0%80", "%c0%80", "%2e%2e", "%2F")
LIMITS = ("", "x", "-1", "0", "1.5", "nan", str(2**31), str(2**63), "9" * 5000, "٣", "\0")
QUERY_TEXTS = ("\0", "a\0b", "\U0010ffff", "9" * 400, "k" * 4000, "'")


def _cursor(place: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


CURSORS = {
    **dict.fromkeys(map(_cursor, SOUND_SOMEWHERE), 200),
    **dict.fromkeys([*map(_cursor, PLACES), *TEXTS], 400),
}
"""Cursors, and the lowest status that may answer them."""


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Method, path and parameters of every operation of the product's own API."""
    for path, item in document["paths"].items():
        if path.startswith("/uptake/"):
            for method, operation in item.items():
                yield method, path, operation.get("parameters", [])


@pytest.fixture
def document(tenant: Tenant) -> dict[str, Any]:
    """The OpenAPI document, as it is served."""
    found: dict[str, Any] = tenant.client.get("/openapi.json").json()
    return found


@pytest.fixture
def filled(tenant: Tenant) -> Tenant:
    """A project in which the user, the segment and the type that the walk names exist."""
    tenant.secret = tenant.key("data:read", "data:erase", "admin", "profiles:write")
    assert tenant.profiles(["user_id", "plan"], ["x", "pro"]).status_code == 200
    put = _send(tenant, "put", "/uptake/v1/segments/x", {}, b'{"seen": {"days": 1}}')
    assert put.status_code in {200, 422}
    tenant.type("x")
    return tenant


def _send(
    tenant: Tenant, method: str, path: str, params: dict[str, str], body: bytes = b"{}"
) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {tenant.secret}", "Content-Type": "application/json"}
    content = body if method in {"post", "put"} else None
    return tenant.client.request(method, path, params=params, headers=headers, content=content)


def _required(parameters: list[dict[str, Any]]) -> dict[str, str]:
    """Sound values of the query parameters that an operation insists on."""
    sound = {"metric": "steps", "after_erasure": "true", "from": "2026-01-01", "to": "2026-01-02"}
    return {
        one["name"]: sound[one["name"]]
        for one in parameters
        if one["in"] == "query" and one.get("required")
    }


def _known(path: str) -> str:
    """A path with the ids of existing records, if there are any."""
    return re.sub(r"{(name|user_id)}", "x", re.sub(r"{kind}", "users", path))


def test_a_cursor_that_was_not_issued_is_a_bad_request(
    filled: Tenant, document: dict[str, Any]
) -> None:
    """On every route that takes one, and for the start of an export."""
    walked = 0
    for method, path, parameters in _operations(document):
        for name in ("cursor", "since"):
            if not any(one["name"] == name and one["in"] == "query" for one in parameters):
                continue
            for cursor, least in CURSORS.items():
                query = {**_required(parameters), name: cursor}
                answer = _send(filled, method, _known(path), query)
                assert least <= answer.status_code < 500, (path, cursor[:80], answer.text)
                walked += 1
    assert walked > 300


def test_a_hostile_id_in_a_path_is_a_client_error(filled: Tenant, document: dict[str, Any]) -> None:
    """Huge numbers, NUL, broken UTF-8, dots: never 500."""
    # Those that take any name for a new thing come last, so that the others find nothing.
    for method, path, parameters in sorted(_operations(document), key=lambda one: one[0] == "put"):
        if "{" not in path or (method, path) == ("delete", "/uptake/v1/users/{user_id}"):
            continue
        for part in [*(quote(text, safe="") for text in IDS), *RAW_IDS]:
            answer = _send(filled, method, re.sub(r"{[^}]+}", part, path), _required(parameters))
            least = 200 if method == "put" else 400
            assert least <= answer.status_code < 500, (method, path, part[:80], answer.text)


def test_a_hostile_limit_is_a_bad_request(filled: Tenant, document: dict[str, Any]) -> None:
    """Not a number, out of range, thousands of digits."""
    for method, path, parameters in _operations(document):
        if any(one["name"] == "limit" for one in parameters):
            for limit in LIMITS:
                query = {**_required(parameters), "limit": limit}
                answer = _send(filled, method, _known(path), query)
                assert answer.status_code == 400, (path, limit[:80], answer.text)


def test_a_hostile_text_in_a_query_is_never_an_internal_error(
    filled: Tenant, document: dict[str, Any]
) -> None:
    """NUL above all, which PostgreSQL's text cannot hold."""
    for method, path, parameters in _operations(document):
        for one in parameters:
            if one["in"] == "query" and one["name"] not in {"cursor", "limit"}:
                for text in QUERY_TEXTS:
                    query = {**_required(parameters), one["name"]: text}
                    answer = _send(filled, method, _known(path), query)
                    assert answer.status_code < 500, (path, one["name"], text[:80], answer.text)


def test_a_hostile_id_on_the_image_route_is_not_found(tenant: Tenant) -> None:
    """The only route with an id that the document does not list."""
    for part in [*(quote(text, safe="") for text in IDS), *RAW_IDS]:
        assert tenant.client.get(f"/images/{part}").status_code == 404

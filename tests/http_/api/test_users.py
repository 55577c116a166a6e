"""The product's own API."""

import hashlib
import socket
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from contract.pictures import PNG, encoded
from contract.tenant import Tenant, sample

NOBODYS = "8cf3f5e8-0460-4f22-9b20-5b87c09a041f"
"""An id that was never given."""

PATHS = [
    "/users/42",
    "/users/42/samples?metric=steps",
    "/users/42/rollups?metric=steps",
    "/users/42/sync?metric=steps",
    "/users/42/images",
    "/users/42/documents",
    f"/documents/{NOBODYS}",
]
ODD_IDS = ["a/b", "a%2Fb", "100%", "?x=1", "#1", "é", "😀", "a b", "+", "a\nb", "%"]


def _is_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert (status, response.text) == (response.status_code, response.text)
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert status == body["status"]
    assert all(isinstance(body[name], str) and body[name] for name in ("type", "title", "detail"))
    return body


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return moment.astimezone(UTC).timestamp()


def _values(samples: list[dict[str, Any]]) -> list[int]:
    return [shown["value"] for shown in samples]


def test_a_profile_is_complete(tenant: Tenant) -> None:
    """Exactly these members."""
    began = time.time()
    tenant.profiles(["user_id", "plan"], ["42", "pro"])
    tenant.document("42", {"mood": 7})
    tenant.picture("42", PNG)
    tenant.steps("42", sample(0), sample(1), sample(2))
    user = tenant.user("42")
    seen = [_moment(user.pop(name)) for name in ("first_seen", "last_seen")]
    assert user == {
        "user_id": "42",
        "attributes": {"plan": "pro"},
        "samples": {
            "steps": {"count": 3, "first": "2023-11-01T00:00:00Z", "last": "2023-11-01T00:02:00Z"}
        },
        "documents": 1,
        "images": 1,
    }
    assert began - 1 < seen[0] < seen[1] < time.time() + 1


def test_last_seen_moves_and_first_seen_stays(tenant: Tenant) -> None:
    """With every upload about the user."""
    tenant.profiles(["user_id"], ["42"])
    before = tenant.user("42")
    tenant.document("42", {})
    after = tenant.user("42")
    assert before["first_seen"] == after["first_seen"]
    assert _moment(before["last_seen"]) < _moment(after["last_seen"])


def test_a_user_without_anything_has_empty_members(tenant: Tenant) -> None:
    """None is left out."""
    tenant.profiles(["user_id"], ["42"])
    user = tenant.user("42")
    assert (
        user["attributes"],
        user["samples"],
        user["documents"],
        user["images"],
    ) == ({}, {}, 0, 0)


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_a_user_id_may_be_any_text(tenant: Tenant, user_id: str) -> None:
    """Encoded in a path it is that user and no other."""
    tenant.profiles(["user_id", "is"], [user_id, "here"])
    tenant.steps(user_id, sample(0), sample(1), sample(2))
    assert (user_id, {"is": "here"}) == (
        tenant.user(user_id)["user_id"],
        tenant.user(user_id)["attributes"],
    )
    assert _values(tenant.samples(user_id)) == [1, 2, 3]
    assert tenant.images(user_id) == []
    assert tenant.get(f"/users/{quote(user_id + 'x', safe='')}").status_code == 404


@pytest.mark.parametrize("user_id", [".", ".."])
def test_dots_are_a_user_id_when_they_are_encoded(tenant: Tenant, user_id: str) -> None:
    """Written to the socket: clients that know better take plain dots for a way up."""
    tenant.profiles(["user_id", "is"], [user_id, "here"])
    url = tenant.client.base_url
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        target = "/uptake/v1/users/" + user_id.replace(".", "%2E")
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.secret}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert f'"user_id":"{user_id}"'.encode() in answer


@pytest.mark.parametrize("path", PATHS)
def test_what_is_unknown_is_404_as_a_problem(tenant: Tenant, path: str) -> None:
    """RFC 9457."""
    _is_problem(tenant.get(path), 404)


@pytest.mark.parametrize("path", PATHS)
def test_without_a_sound_key_it_is_401_as_a_problem(tenant: Tenant, path: str) -> None:
    """None, an unknown one, an expired one, one in the query."""
    _is_problem(tenant.client.get(f"/uptake/v1{path}"), 401)
    for secret in ("unknown", tenant.key(seconds=-1)):
        _is_problem(tenant.get(path, secret), 401)
    headers = {"x-api-key": tenant.secret, "api-key": tenant.secret}
    _is_problem(tenant.client.get(f"/uptake/v1{path}", headers=headers), 401)
    query = ("&" if "?" in path else "?") + f"apiKey={tenant.secret}"
    _is_problem(tenant.client.get(f"/uptake/v1{path}{query}"), 401)


def test_the_key_is_checked_before_the_query(tenant: Tenant) -> None:
    """A question that makes no sense is 401 or 403 with a wrong key."""
    _is_problem(tenant.client.get("/uptake/v1/users/42/samples?limit=many"), 401)
    _is_problem(tenant.get("/users/42/samples?limit=many", tenant.key("samples:write")), 403)


@pytest.mark.parametrize("path", PATHS)
def test_without_the_scope_it_is_403_as_a_problem(tenant: Tenant, path: str) -> None:
    """`data:read`, and no other."""
    scopes = ("user-data:write", "profiles:write", "images:write", "samples:write", "data:erase")
    _is_problem(tenant.get(path, tenant.key(*scopes, "admin")), 403)
    _is_problem(tenant.get(path, tenant.key("data:read")), 404)


def test_an_address_or_method_that_is_not_there_is_a_problem(tenant: Tenant) -> None:
    """404 and 405."""
    _is_problem(tenant.get("/nothing"), 404)
    _is_problem(tenant.client.get("/nothing"), 404)
    _is_problem(tenant.client.post("/uptake/v1/users/42"), 405)
    _is_problem(tenant.client.put("/uptake/v1/documents/42"), 405)


def test_samples_are_ordered_by_start(tenant: Tenant) -> None:
    """In whatever order they came."""
    tenant.steps("42", sample(9), sample(3), sample(6))
    tenant.steps("42", sample(7), sample(1), sample(4))
    assert _values(tenant.samples("42")) == [2, 4, 5, 7, 8, 10]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"from": "2023-11-01T00:01:00Z"}, [1, 2, 3, 4]),
        ({"to": "2023-11-01T00:03:00Z"}, [0, 1, 2]),
        ({"from": "2023-11-01T00:01:00Z", "to": "2023-11-01T00:03:00Z"}, [1, 2]),
        ({"from": "2023-11-01T00:01:00.001Z"}, [2, 3, 4]),
        ({"from": "2023-11-01T04:01:00+04:00", "to": "2023-11-01T02:03:00+02:00"}, [1, 2]),
        ({"from": "2023-11-01T00:03:00"}, [3, 4]),
        ({"from": "2023-11-02T00:00:00Z"}, []),
        ({"from": "2023-11-01T00:03:00Z", "to": "2023-11-01T00:01:00Z"}, []),
        ({"from": "", "to": ""}, [0, 1, 2, 3, 4]),
    ],
)
def test_from_is_inclusive_and_to_exclusive(
    tenant: Tenant, query: dict[str, str], minutes: list[int]
) -> None:
    """Both optional; as instants, whatever the offset."""
    tenant.steps("42", *[sample(i) for i in range(5)])
    assert [minute + 1 for minute in minutes] == _values(tenant.samples("42", **query))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_samples_page_with_limit_and_cursor(tenant: Tenant, limit: int) -> None:
    """Whatever the size of a page, each is reported once; `next` is null at the end alone."""
    for start in (0, 5, 2, 30):
        tenant.steps("42", *[sample(start + i) for i in range(8)])
    page = tenant.get("/users/42/samples", params={"metric": "steps", "limit": limit}).json()
    assert {"samples", "next"} == set(page)
    assert len(page["samples"]) == min(limit, 21)
    assert (page["next"] is None) == (limit >= 21)
    result = _values(tenant.samples("42", limit=limit))
    assert [*range(1, 14), *range(31, 39)] == result


def test_samples_of_one_instant_page_without_loss(tenant: Tenant) -> None:
    """Of many devices at the same time."""
    samples = [sample(0, device_name=f"Watch {i}", value=i + 1) for i in range(10)]
    tenant.steps("42", *samples)
    result = _values(tenant.samples("42", limit=3))
    assert set(range(1, 11)) == set(result)
    assert len(result) == 10


def test_a_metric_without_samples_is_an_empty_page(tenant: Tenant) -> None:
    """Of a user that is known."""
    tenant.profiles(["user_id"], ["42"])
    page = tenant.get("/users/42/samples", params={"metric": "bpm"}).json()
    assert page == {"samples": [], "next": None}


@pytest.mark.parametrize(
    "query",
    [
        {"metric": "sleep"},
        {},
        {"metric": "steps", "limit": "0"},
        {"metric": "steps", "limit": "-1"},
        {"metric": "steps", "limit": "many"},
        {"metric": "steps", "limit": "9" * 30},
        {"metric": "steps", "from": "yesterday"},
        {"metric": "steps", "to": "2023-02-30T00:00:00Z"},
        {"metric": "steps", "cursor": "?"},
        {"metric": "steps", "cursor": "AAAA"},
        {"metric": "steps", "cursor": "é"},
    ],
)
def test_a_question_that_makes_no_sense_is_400_as_a_problem(
    tenant: Tenant, query: dict[str, str]
) -> None:
    """Of a user that is known."""
    tenant.steps("42", sample(0), sample(1), sample(2))
    _is_problem(tenant.get("/users/42/samples", params=query), 400)


def test_a_document_is_returned_as_it_was_uploaded(tenant: Tenant) -> None:
    """With its type and the time at which it came."""
    data = {"mood": 7, "nested": [{"a": 1.50}, None, True, "é"], "big": 12345678901234567890}
    upload_id = tenant.document("42", data).json()["uploadId"]
    document = tenant.get(f"/documents/{upload_id}").json()
    assert abs(_moment(document.pop("received_at")) - time.time()) < 10
    assert {"upload_id": upload_id, "user_id": "42", "type": "mood", "data": data} == document


@pytest.mark.parametrize("upload_id", ["nothing", "%2F", "é", NOBODYS.upper(), "0" * 5000])
def test_an_upload_id_that_is_none_is_404(tenant: Tenant, upload_id: str) -> None:
    """As a problem."""
    _is_problem(tenant.get(f"/documents/{upload_id}"), 404)


def test_images_are_listed_as_they_are_served(tenant: Tenant) -> None:
    """Size and digest are those of the bytes at the address."""
    result = tenant.picture("42", encoded("JPEG", 64, 32)).json()["response"]
    page = tenant.get("/users/42/images").json()
    assert page["next"] is None
    (image,) = page["images"]
    content = tenant.client.get(image["url"]).content
    assert abs(_moment(image.pop("received_at")) - time.time()) < 10
    assert {
        "image_id": result["imageID"],
        "url": result["imageURL"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "width": 64,
        "height": 32,
        "media_type": "image/jpeg",
    } == image


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_images_page_with_limit_and_cursor(tenant: Tenant, limit: int) -> None:
    """Each once."""
    ids = [
        tenant.picture("42", encoded("PNG", 2 + i, 2)).json()["response"]["imageID"]
        for i in range(5)
    ]
    page = tenant.get("/users/42/images", params={"limit": limit}).json()
    assert len(page["images"]) == min(limit, 5)
    assert (page["next"] is None) == (limit >= 5)
    assert ids == [
        image["image_id"] for image in tenant.pages("/users/42/images", "images", limit=limit)
    ]


def test_a_cursor_is_opaque_and_of_its_list(tenant: Tenant) -> None:
    """It is text that a URL can carry as it is; another list's is rejected."""
    tenant.steps("42", sample(0), sample(1), sample(2))
    query = {"metric": "steps", "limit": 1}
    cursor = tenant.get("/users/42/samples", params=query).json()["next"]
    assert quote(cursor, safe="") == cursor
    _is_problem(tenant.get("/users/42/images", params={"cursor": cursor}), 400)


def test_a_bound_key_reads_its_user_alone(tenant: Tenant) -> None:
    """Another user is 403, as for uploads."""
    tenant.profiles(["user_id"], ["42"], ["43"])
    key = tenant.key("data:read", user="42")
    assert tenant.get("/users/42", key).status_code == 200
    _is_problem(tenant.get("/users/43", key), 403)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_key(tenant: Tenant, path: str) -> None:
    """At the root and beside the API."""
    for prefix in ("", "/uptake/v1"):
        assert tenant.client.get(prefix + path).status_code == 200

"""All endpoints alike: envelopes, addresses, request ids, users."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

from deployments import Deployment
from uptake.store.base import Store

from .tenant import Tenant, new_tenant, sample
from .uploads import (
    JSON_UPLOADS,
    PTENGINE,
    SAMPLES_V2,
    THYMIA,
    UPLOADS,
    Upload,
    check_gerosense,
    check_ptengine,
    check_questionpro,
    check_thymia,
)

NOWHERE = [
    ("/v1/nothing", check_thymia),
    ("/v1/user-data", check_thymia),
    ("/v1/user-data/a/b", check_thymia),
    ("/v1/user/unknown", check_ptengine),
    ("/v1/user", check_ptengine),
    ("/a/api/v2/users/42", check_questionpro),
    ("/a/nothing", check_questionpro),
    ("/api/v3/samples", check_gerosense),
    ("/api", check_gerosense),
]
ODD_BODIES = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"null",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"user":{"userLabel":"\\ud800"},"data":{},"user_id":"\\ud800","data_type":"steps"}',
    b'{"user":{"userLabel":"u"},"data":{"a":1e400,"b":-1e400}}',
    b'{"user":{"userLabel":"u"},"data":{"a":' + b"9" * 5000 + b"}}",
    b'{"user":{"userLabel":"u"},"data":{"\\u0000":"\\u0000"}}',
    b'{"field_name":["user_id","\\ud800"],"values":[["\\ud800",1e400]]}',
    b'{"field_name":["user_id"],"values":[[' + b"9" * 5000 + b"]]}",
    b'{"user_id":"42","data_type":"steps","data":[[[]],{"value":1e400},{"start_date":"\\ud800"}]}',
    b'{"user_id":"42","data_type":"steps","data":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b"--a-boundary\r\n\r\n--a-boundary--",
    b"--a-boundary\r\nContent-Disposition: form-data; name=file\r\n\r\n",
]


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_every_endpoint_takes_what_its_vendor_documents(tenant: Tenant, upload: Upload) -> None:
    """The bodies of these tests are sound."""
    response = upload.send(tenant, upload.key(tenant))
    assert (200, response.text) == (response.status_code, response.text)
    assert response.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(("path", "check"), NOWHERE)
def test_a_path_that_does_not_exist_is_404_in_the_vendors_envelope(
    tenant: Tenant, path: str, check: Any
) -> None:
    """Below each vendor's prefix, whatever the method."""
    for method in ("POST", "GET"):
        response = tenant.client.request(method, path)
        assert response.status_code == 404
        assert response.headers["x-request-id"]
        check(404, response.json())


@pytest.mark.parametrize(
    ("upload", "method"),
    [
        (upload, method)
        for upload in UPLOADS
        for method in ("GET", "PUT", "PATCH", "DELETE")
        # QuestionPro lists the images of a user at the same path.
        if method != "GET" or not upload.name.startswith("questionpro")
    ],
    ids=str,
)
def test_a_wrong_method_is_405_in_the_vendors_envelope(
    tenant: Tenant, upload: Upload, method: str
) -> None:
    """A key makes no difference; Allow states what is offered (RFC 9110)."""
    response = upload.send(tenant, upload.key(tenant), method=method)
    upload.check(405, response)
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/openapi.json", 200),
        ("/uptake/v1/users/unknown", 401),
        ("/uptake/v1/nothing", 404),
        ("/images/nothing.png", 404),
        ("/nothing", 404),
        ("/", 303),
        ("/api/v2.2/samples", 405),
    ],
)
def test_every_answer_carries_a_request_id(tenant: Tenant, path: str, status: int) -> None:
    """No two answers the same."""
    answers = [tenant.client.get(path) for _ in range(2)]
    assert [status, status] == [answer.status_code for answer in answers]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2


def test_an_answer_to_a_missing_or_wrong_key_names_its_header(tenant: Tenant) -> None:
    """An answer 404 names what does not exist: the path, or the entry."""
    key = tenant.key("data:read")
    path = "/uptake/v1/users/unknown"
    wrong = {"Authorization": "Bearer wrong"}
    details = [
        tenant.client.get(path).json()["detail"],
        tenant.client.get(path, headers={"x-api-key": key}).json()["detail"],
        tenant.client.get(path, headers=wrong).json()["detail"],
        tenant.client.get("/uptake/v1/user/unknown").json()["detail"],
        tenant.client.get(path, headers={"Authorization": f"Bearer {key}"}).json()["detail"],
    ]
    place = "the header Authorization: Bearer KEY"
    assert details == [
        f"There is no API key in {place}",
        f"There is no API key in {place}",
        f"The API key in {place} is unknown, revoked or expired",
        "There is no such path; GET /openapi.json lists all paths",
        "This project has no user 'unknown'",
    ]


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_every_answer_to_an_upload_carries_a_request_id(tenant: Tenant, upload: Upload) -> None:
    """Taken, rejected and turned away."""
    key = upload.key(tenant)
    answers = [upload.send(tenant, key), upload.send(tenant, key, b"?"), upload.send(tenant, "")]
    assert [200, upload.rejected, 401] == [answer.status_code for answer in answers]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    assert {answer.headers["accept-encoding"] for answer in answers} == {"gzip"}


@pytest.mark.parametrize("upload", JSON_UPLOADS, ids=str)
def test_unknown_members_are_ignored(tenant: Tenant, upload: Upload) -> None:
    """A member that no vendor documents changes nothing."""
    body = msgspec.json.decode(upload.body) | {"unheard_of": {"a": [1, None]}}
    response = upload.send(tenant, upload.key(tenant), msgspec.json.encode(body))
    assert (200, response.text) == (response.status_code, response.text)


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_no_body_makes_the_server_fail(tenant: Tenant, upload: Upload) -> None:
    """Whatever the bytes, the answer is the sender's fault or 200."""
    key = upload.key(tenant)
    statuses = [upload.send(tenant, key, body).status_code for body in ODD_BODIES]
    assert set() == {status for status in statuses if not 200 <= status < 500}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "\x7f"},
        {"Content-Type": "multipart/form-data; boundary=" + "x" * 5000},
        {"Content-Type": 'multipart/form-data; boundary="'},
        {"Content-Encoding": "br"},
        {"Idempotency-Key": "ÿ".encode("latin-1")},
        {"X-Request-Id": "a b\x7f"},
        {"Content-Encoding": "gzip, gzip"},
    ],
    ids=str,
)
@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_no_header_makes_the_server_fail(
    tenant: Tenant, upload: Upload, headers: dict[str, Any]
) -> None:
    """Whatever the header, the answer is the sender's fault or 200."""
    response = upload.send(tenant, upload.key(tenant), headers=headers)
    assert 200 <= response.status_code < 500


@pytest.mark.parametrize(
    "target",
    [
        "/v1/user-data/%ff%fe",
        "/v1/user-data/%00",
        "/a/api/v2/users/%00/images",
        "/a/api/v2/users/%F0%9F%98%80/images",
        "/a/api/v2/users/42/images?apiKey=%ff%00",
        "/uptake/v1/users/%ff",
        "/uptake/v1/users/%00",
        "/images/%00",
        "/images/..%2f..%2fuptake.db",
        "/%",
        "//",
        "/v1/user-data/mood?%",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_makes_the_server_fail(tenant: Tenant, target: str, method: str) -> None:
    """Whatever the path and query, written to the socket as they are."""
    status = _raw_status(
        tenant,
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {tenant.secret}\r\n"
        f"Authorization: Bearer {tenant.secret}\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
    )
    assert 400 <= status < 500


def _raw_status(tenant: Tenant, request: bytes) -> int:
    url = urlsplit(str(tenant.client.base_url))
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=20) as connection:
        connection.sendall(request)
        return int(connection.recv(4096).split(b" ", 2)[1])


def test_a_user_is_one_for_all_endpoints(tenant: Tenant) -> None:
    """`"42"` of endpoint 2 and `/users/42/images` are one user, and so for all five."""
    for upload in UPLOADS:
        assert upload.send(tenant, upload.key(tenant)).status_code == 200
    user = tenant.user("42")
    assert user["attributes"] == {"plan": "pro"}
    assert (user["documents"], user["images"], user["samples"]["steps"]["count"]) == (1, 1, 3)


def test_a_user_exists_from_the_first_data_about_it(tenant: Tenant) -> None:
    """Not before, and not from data that was rejected."""
    assert tenant.get("/users/42").status_code == 404
    assert tenant.steps("42", sample(), sample(1), sample(2, value=0)).status_code == 207
    assert tenant.steps("43", *[sample(value=0)] * 3).status_code == 400
    assert tenant.get("/users/42").status_code == 200
    assert tenant.get("/users/43").status_code == 404


def test_user_ids_have_up_to_256_characters(tenant: Tenant) -> None:
    """Characters, not bytes; the same user for all that take so long an id."""
    longest = "é" * 256
    assert tenant.document(longest, {}).status_code == 200
    assert tenant.steps(longest, sample(), sample(1), sample(2)).status_code == 200

    assert tenant.document(longest + "é", {}).status_code == 422
    assert tenant.steps(longest + "é", sample(), sample(1), sample(2)).status_code == 400
    user = tenant.user(longest)
    assert (longest, 1, 3) == (
        user["user_id"],
        user["documents"],
        user["samples"]["steps"]["count"],
    )


def test_an_empty_user_id_is_rejected_everywhere(tenant: Tenant) -> None:
    """User ids have at least one character."""
    assert tenant.document("", {}).status_code == 422
    assert tenant.profiles(["user_id", "plan"], ["", "pro"]).status_code == 400
    assert tenant.steps("", sample(), sample(1), sample(2)).status_code == 400
    assert tenant.picture("", b"").status_code == 404


def test_projects_see_nothing_of_each_other(client: httpx2.Client, store: Store) -> None:
    """All data belongs to the key's project: the same user id is another user in another one."""
    one, other = new_tenant(client, store), new_tenant(client, store)
    one.type("mood")
    upload_id = one.document("42", {"mood": 7}).json()["uploadId"]
    other.profiles(["user_id", "plan"], ["42", "free"])
    assert (one.user("42")["attributes"], one.user("42")["documents"]) == ({}, 1)
    assert (other.user("42")["attributes"], other.user("42")["documents"]) == ({"plan": "free"}, 0)
    assert one.get(f"/documents/{upload_id}").status_code == 200
    assert other.get(f"/documents/{upload_id}").status_code == 404
    assert other.document("42", {}).status_code == 422


@pytest.mark.parametrize("upload", [THYMIA, PTENGINE, SAMPLES_V2], ids=str)
def test_what_is_rejected_is_stored_with_its_reason(tenant: Tenant, upload: Upload) -> None:
    """As it was sent, under the request's id."""
    response = upload.send(tenant, upload.key(tenant), b'{"what": 1}')
    assert upload.rejected == response.status_code
    (rejection,) = tenant.rejections()
    assert response.headers["x-request-id"] == rejection.request_id
    assert rejection.record.raw == b'{"what": 1}'
    assert rejection.record.format == upload.name
    assert rejection.record.faults


def _are_in(log: str, texts: set[str]) -> bool:
    return all(text in log for text in texts)


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_no_secret_is_in_the_log_or_in_the_store(
    tenant: Tenant, deployment: Deployment, upload: Upload
) -> None:
    """Not of a key in the query, not of one at an address that does not exist."""
    key = upload.key(tenant)
    answers = [upload.send(tenant, key), upload.send(tenant, key, b"?")]
    for path in (upload.path + "/nothing", "/nothing"):
        options = upload.with_key(key)
        answers.append(tenant.client.post(path, **options))
    wrong = upload.send(tenant, "a-wrong-key-of-" + upload.name)
    result = {answer.headers["x-request-id"] for answer in answers}
    until = time.monotonic() + 5
    while not _are_in(deployment.log, {*result, wrong.headers["x-request-id"]}):
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    assert _are_in(deployment.log, result)
    assert key not in deployment.log
    assert "a-wrong-key-of-" not in deployment.log
    assert deployment.holds(tenant.project)
    assert not deployment.holds(key)

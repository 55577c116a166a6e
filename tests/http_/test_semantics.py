"""What HTTP asks of every route alike: spelling of paths, methods, hosts, queries, request ids."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx2
import pytest

from contract.tenant import Tenant
from deployments import Deployment
from uptake.http.problems import Handler
from uptake.http.semantics import Reply, RouteTable, Semantics, VendorRoute

ENVELOPES = {
    "/v1/user-data/mood": "detail",
    "/v1/user/profiles": "msg",
    "/a/api/v2/users/7/images": "response",
    "/api/v2.2/samples": "code",
    "/uptake/v1/users/7": "type",
    "/uptake/v1/retention": "type",
    "/health/ready": "type",
    "/metrics": "type",
    "/openapi.json": "type",
}
"""A path of each kind, and the first member of its envelope of errors."""


def _spellings(path: str) -> list[str]:
    first, _, rest = path[1:].partition("/")
    return [
        f"{path}/",
        f"/{path}",
        f"//{first}//{rest}",
        f"{path}//",
        f"{path};a=b",
        f"{path}%2F",
        f"/%{ord(first[0]):02x}{path[2:]}",
        f"{path}%00",
        path.upper(),
        f"{path}%zz",
        f"{path}%ff",
    ]


def _raw(tenant: Tenant, method: str, path: str, **headers: str) -> httpx2.Response:
    """A request with a path that is sent unchanged."""
    url = tenant.client.base_url.copy_with(raw_path=path.encode())
    keys = {"Authorization": f"Bearer {tenant.secret}", "x-api-key": tenant.secret}
    return tenant.client.request(method, url, headers={**keys, **headers})


@pytest.mark.parametrize("path", ENVELOPES)
def test_a_path_has_one_spelling(tenant: Tenant, path: str) -> None:
    """What a proxy would not recognise as the path is 404, in the envelope of its prefix."""
    for spelling in _spellings(path):
        answer = _raw(tenant, "GET", spelling)
        # Some spellings name another document type.
        statuses = {404, 405} if path.endswith("/mood") else {404}
        assert answer.status_code in statuses, spelling
        assert next(iter(answer.json())) in {ENVELOPES[path], "type"}, spelling


@pytest.mark.parametrize("path", ["/schema", "/schema/redoc", "/schema/swagger", "/schema/a.yaml"])
def test_there_are_no_pages_of_the_framework(tenant: Tenant, path: str) -> None:
    """They would load scripts from other hosts."""
    pages = ("openapi.json", "openapi.yaml", "openapi.yml", "elements", "rapidoc", "scalar")
    for spelling in (path, *(f"/schema/{page}" for page in pages), "/schema/"):
        assert tenant.client.get(spelling).status_code == 404
        assert tenant.client.options(spelling).status_code == 404


METHODS = {
    "/v1/user-data/mood": {"POST"},
    "/a/api/v2/users/7/images": {"POST"},
    "/uptake/v1/users/7": {"GET", "DELETE"},
    "/uptake/v1/retention": {"GET", "PUT"},
    "/uptake/v1/retention/preview": {"POST"},
    "/uptake/v1/segments/a": {"GET", "PUT", "DELETE"},
    "/uptake/v1/segments/preview": {"POST"},
    "/uptake/v1/document-types/a": {"GET", "PUT"},
    "/uptake/v1/rejections/replay": {"POST"},
    "/images/unknown": {"GET"},
    "/health/live": {"GET"},
}


@pytest.mark.parametrize("path", METHODS)
def test_options_and_405_list_every_method_of_a_path(tenant: Tenant, path: str) -> None:
    """Without a key; HEAD is one of them where GET is."""
    methods = {*METHODS[path], "OPTIONS"} | ({"HEAD"} if "GET" in METHODS[path] else set())
    answer = tenant.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert methods <= set(answer.headers["allow"].split(", "))
    assert answer.headers["x-request-id"]
    for method in ("PATCH", "CABBAGE", "TRACE"):
        wrong = tenant.client.request(method, path)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, answer.headers["allow"])
        assert wrong.json()


def test_head_answers_wherever_get_does(tenant: Tenant) -> None:
    """With the same status and headers, and without a body."""
    tenant.profiles(["user_id", "a"], ["42", "b"])
    paths = tenant.client.get("/openapi.json").json()["paths"]
    known = {"user_id": "42", "kind": "samples", "name": "mood", "user-id": "7"}
    tried = 0
    for path in [*(path for path, item in paths.items() if "get" in item), "/metrics"]:
        asked = path.format_map({**dict.fromkeys(_names(path), "unknown"), **known})
        asked += "?metric=steps" if asked.endswith(("samples", "rollups", "sync")) else ""
        got, head = _raw(tenant, "GET", asked), _raw(tenant, "HEAD", asked)
        assert (head.status_code, head.content) == (got.status_code, b""), asked
        assert head.headers.get("content-type") == got.headers.get("content-type"), asked
        if "content-length" in head.headers and path != "/metrics":
            length = abs(int(head.headers["content-length"]) - len(got.content))
            assert length == 0, asked
        tried += 1
    assert tried > 20


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


HOSTS = {
    b"x:99999": 400,
    b"x:abc": 400,
    b"x:-1": 400,
    b"x:1:2": 400,
    b"a b": 400,
    b"[::1": 400,
    b"\xff\xfe": 400,
    b"a/b": 400,
    b"user@host": 400,
    b"x" * 5000: 400,
    b"": 401,
    b"x:": 401,
    b"x:0": 401,
    b"x:65535": 401,
    b"under_score.example": 401,
    b"xn--bcher-kva.example:80": 401,
    b"[::1]:8000": 401,
}


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: repr(host[:20]))
def test_a_host_that_is_none_is_400(tenant: Tenant, host: bytes) -> None:
    """On every kind of path, in its envelope; before that, nothing looks at it."""
    for path, member in ENVELOPES.items():
        answer = tenant.client.request("POST", path, headers={b"Host": host})
        if HOSTS[host] == 400:
            assert answer.status_code == 400
        assert answer.status_code in {400, 401, 405}
        assert member in answer.json()


@pytest.mark.parametrize(
    "query", ["unknown=1", "limit=1&limit=2", "cursor=%ff", "limit=%zz", "cursor=a&cursor=a"]
)
def test_a_query_that_is_not_understood_is_400(tenant: Tenant, query: str) -> None:
    """A misspelled filter would select everything."""
    for path in ("/users/42/images", "/segments", "/rejections"):
        assert tenant.get(f"{path}?{query}").status_code == 400


def test_a_parameter_that_is_a_list_may_be_repeated(tenant: Tenant) -> None:
    """As `priority` of rollups may."""
    tenant.profiles(["user_id", "a"], ["42", "b"])
    path = "/users/42/rollups?metric=steps&priority=a&priority=b"
    assert tenant.get(path).status_code == 200


@pytest.mark.parametrize(
    ("sent", "is_stored"),
    [
        ("0195a1b2-0000-7000-8000-000000000000", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a_b", False),
        ("a.b", False),
        ("a b", False),
        ('a"b', False),
        ("é", False),
        ("a\tb", False),
        ("", False),
    ],
)
def test_a_request_id_of_the_client_is_answered_if_it_is_one(
    deployment: Deployment, tenant: Tenant, sent: str, is_stored: bool
) -> None:
    """Else the server's own, a UUID; that is always in the log."""
    name = f"{sent[:20]}-{time.time_ns()}"[:64] if is_stored else sent
    headers = {b"X-Request-Id": name.encode("latin-1")}
    answered = tenant.client.get("/health/live", headers=headers).headers["x-request-id"]
    if not is_stored:
        UUID(answered)
    assert (answered == name) == is_stored
    line = _line(deployment, answered)
    assert ("own_request_id" in line) == is_stored
    if is_stored:
        UUID(line["own_request_id"])


def _line(deployment: Deployment, request_id: str) -> dict[str, Any]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for line in deployment.log.splitlines():
            if f'"request_id":"{request_id}"' in line:
                found: dict[str, Any] = json.loads(line)
                return found
        time.sleep(0.05)
    raise AssertionError(f"no line of {request_id}")


def test_an_unexpected_error_of_an_upload_is_500_in_the_envelope_of_the_vendor() -> None:
    """Uploads bypass the framework, and its handler of exceptions."""

    async def fail(*_: object) -> Reply:
        raise RuntimeError("a defect")

    sent = _served(VendorRoute("POST", "/api/v2.2/samples", fail), "/api/v2.2/samples")
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["code"] == "internal"


def test_an_upload_gets_the_parameters_of_its_path_as_they_were_sent() -> None:
    """They are decoded after the path was split, so an encoded slash separates nothing."""
    seen: list[list[str]] = []

    async def serve(_scope: object, _receive: object, parameters: Sequence[str]) -> Reply:
        seen.append(list(parameters))
        return Reply(200, [], b"{}")

    route = VendorRoute("POST", "/v1/{type}/of/{user}", serve)
    assert _served(route, "/v1/mood/of/a%2Fb")[0]["status"] == 200
    assert seen == [["mood", "a%2Fb"]]


def _served(route: VendorRoute, path: str) -> list[Any]:
    """What `Semantics` sends as the response to a POST, with one upload and no other route."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": path,
        "scheme": "http",
        "headers": [],
        "query_string": b"",
        "state": {"request_id": "r"},
    }
    semantics = Semantics(receive, RouteTable([], [route], "/hidden"), Handler(""))  # type: ignore[arg-type]
    asyncio.run(semantics(scope, receive, send))
    return sent

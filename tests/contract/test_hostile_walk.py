"""Every operation of the OpenAPI document, met with what no proper client would send.

No answer is a 5xx, shows Python's own words, or leaves an error in the log.
"""

import gzip
import json
import re
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from deployments import Deployment
from faults.raw import Answer, connected, parse, read_all

from .pictures import PNG
from .tenant import Tenant, sample

pytestmark = pytest.mark.usefixtures("served_throughout")

DEEP = 100_000
MIB = 1024 * 1024
SCOPES = (
    *("user-data:write", "profiles:write", "images:write", "samples:write"),
    *("data:read", "data:erase", "admin"),
)
PYTHON = re.compile(
    rb"Traceback|codec can't|recursion depth|NoneType|object has no|invalid literal|msgspec\."
    rb"|File \\?\"|<class|unhashable|positional argument|not JSON serializable|psycopg|sqlite"
)
"""What Python, its libraries and the databases state of their own failures."""

JUNK = [
    *("", "%00", "%ff", "%zz", "%", "%ED%A0%80", "a%00b", "x" * 20_000, "%F0%9F%98%80", "%2F"),
    *("-1", "0", "1e999", "NaN", "9" * 40, "%D9%A1", "null", "true", "..", "%0d%0aX: y", "'%22;--"),
    *("2024-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "%2B", "{}", "[]"),
    *("____", "AAAA", "lM___________w-hYc___________w", "gqFhoWI", "a," * 5000, "Etc/GMT%2B20"),
]
HOSTS = [
    *(b"x:99999", b"x:abc", b"x:-1", b"x:", b":80", b"", b"x:0x50", b"[::1", b"[::1]:x", b"a b"),
    *(
        b"\xff\xfe",
        b"a/b?c#d",
        b"user:pass@host",
        b"x" * 8000,
        b"%zz",
        b"x\t",
        b"\xe2\x84\xaa",
        b".",
    ),
    *(
        b"x:65536",
        b"x\r\nHost: y",
        b'x\r\nX-Forwarded-Host: y:abc\r\nForwarded: host="["',
        b"{{7}}",
    ),
]
HEADERS: list[dict[bytes, bytes]] = [
    {b"Content-Type": b"\xff/\xfe; charset=\x80"},
    {b"Content-Type": b"multipart/form-data; boundary=\xff"},
    {b"Content-Type": b"application/json; charset=utf-7"},
    {b"Accept": b"\xff/;q=z,,,", b"Accept-Encoding": b"\xe9", b"Accept-Language": b"\xff"},
    {b"Range": b"bytes=5-1", b"If-None-Match": b"\xff", b"If-Range": b"\xff"},
    {b"Cookie": b"\xff=;;=;\xc3" * 500},
    {b"Idempotency-Key": b"\xff" * 5000},
    {b"X-Forwarded-For": b"\xff, ,", b"X-Forwarded-Proto": b"ht tp", b"X-Forwarded-Port": b"abc"},
    {b"X-Request-Id": b"\xff\x80", b"Expect": b"cabbage", b"Upgrade": b"h2c"},
    {b"X-HTTP-Method-Override": b"DELETE", b"Origin": b"\xff", b"Referer": b"\xff"},
]
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CABBAGE"]
BODIES: dict[str, tuple[bytes, bytes]] = {
    "empty": (b"", b""),
    "deep-list": (b"", b"[" * DEEP + b"]" * DEEP),
    "deep-object": (b"", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "deep-in-a-member": (b"", b'{"rules":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "deep-filter": (b"", b'{"not":' * 20_000 + b"1" + b"}" * 20_000),
    "deep-gzip": (b"gzip", gzip.compress(b'{"all":[' * DEEP)),
    "null": (b"", b"null"),
    "number": (b"", b"1e999"),
    "digits": (b"", b"9" * 5000),
    "string": (b"", b'"\\ud800"'),
    "not-utf-8": (b"", b'{"\xff":"\xc3"}'),
    "utf-16": (b"", '{"rules": []}'.encode("utf-16")),
    "two-marks": (b"", b"\xef\xbb\xbf" * 2 + b"{}"),
    "nul": (b"", b'{"rules":[{"kind":"samples","days":1,"type":"\\u0000"}]}'),
    "twice": (b"", b'{"rules":[],"rules":null,"rules":[1]}'),
    "wrong-types": (b"", b'{"rules":{"a":[{}]},"all":7,"attribute":[],"op":{}}'),
    "huge-number": (b"", b'{"rules":[{"kind":"samples","days":' + b"9" * 400 + b"}]}"),
    "rubbish": (b"", bytes(range(256)) * 40),
    "not-gzip": (b"gzip", b"{}"),
    "cut-gzip": (b"gzip", gzip.compress(b"{}")[:-3]),
    "bomb": (b"gzip", gzip.compress(b" " * (64 * MIB), 1)),
    "deflate-bomb": (b"deflate", zlib.compress(b" " * (64 * MIB), 1)),
    "unknown-encoding": (b"br", b"{}"),
    "odd-encoding": (b"\xff,gzip", b"{}"),
}


@dataclass(frozen=True)
class Operation:
    """An operation, with values for its path that exist, and the names of its query."""

    method: bytes
    path: str
    parts: dict[str, str]
    query: tuple[str, ...]
    required: str
    has_body: bool

    def target(self, parts: dict[str, str] | None = None, query: str | None = None) -> bytes:
        """Its address; parts are put in as they are."""
        quoted = {name: quote(value, safe="") for name, value in self.parts.items()}
        path = self.path.format_map({**quoted, **(parts or {})})
        asked = self.required if query is None else query
        return (path + ("?" + asked if asked else "")).encode("latin-1")


@pytest.fixture
def hostile(deployment: Deployment, tenant: Tenant) -> Iterator["Hostile"]:
    """Sends to every operation; afterwards the log has no failure, and all is as well as before."""
    tenant.secret = tenant.key(*SCOPES)
    logged = [len(server.log) for server in deployment.servers]
    walker = Hostile(deployment, tenant)
    yield walker
    assert tenant.client.get("/health/ready").status_code == 200
    time.sleep(0.3)
    logs = zip(deployment.servers, logged, strict=True)
    log = "".join(server.log[since:] for server, since in logs)
    assert "Traceback" not in log
    assert '"level":"error"' not in log
    # Exports are 503 while those of clients that vanished end.
    assert not re.search(r'"status":5(?!03)', log)
    assert walker.secret not in log


class Hostile:
    """A project in which something of every kind exists, and raw requests about it."""

    def __init__(self, deployment: Deployment, tenant: Tenant) -> None:
        self.urls = [server.url for server in deployment.servers]
        self.secret = tenant.secret
        tenant.profiles(["user_id", "a"], ["42", "b"])
        tenant.steps("42", *(sample(i) for i in range(3)))
        tenant.picture("42", PNG)
        upload = tenant.document("42", {"a": 1}).json()["uploadId"]
        rejected = tenant.profiles(["a"], ["b"])
        (rejection,) = tenant.rejections()
        known = {
            "upload_type": "mood",
            "user-id": "42",
            "user_id": "42",
            "upload_id": upload,
            "kind": "samples",
            "name": "mood",
            "rejection_id": rejection.record.rejection_id,
            "request_id": rejected.headers["x-request-id"],
        }
        document = tenant.client.get("/openapi.json").json()
        self.operations = [
            _operation(method, path, item, known)
            for path, methods in document["paths"].items()
            for method, item in methods.items()
        ]
        self._sent = 0

    def send(
        self,
        method: bytes,
        target: bytes,
        headers: dict[bytes, bytes] | None = None,
        body: bytes = b"",
    ) -> Answer | None:
        """Send a request to the next server; its answer, unless HTTP itself ended there."""
        lines = self._lines(len(body)) | (headers or {})
        head = b"".join(name + b": " + value + b"\r\n" for name, value in lines.items())
        self._sent += 1
        received = b""
        with connected(self.urls[self._sent % len(self.urls)]) as connection:
            try:
                connection.sendall(
                    method + b" " + target + b" HTTP/1.1\r\n" + head + b"\r\n" + body
                )
                received = read_all(connection)
            except ConnectionError:
                pass
        if not received:
            return None
        answer = parse(received)
        shown = (method, target[:200], headers, body[:80], answer.status, answer.body[:300])
        assert answer.status < 500, shown
        assert not PYTHON.search(answer.body), shown
        if method == b"HEAD":
            assert answer.body == b"", shown
        elif answer.status >= 400 and "x-request-id" in answer.headers:
            assert isinstance(json.loads(answer.body), dict), shown
        return answer

    def vanish(self, method: bytes, target: bytes, sent: bytes, *, reset: bool) -> None:
        """Begin a body and disconnect."""
        lines = self._lines(1000)
        head = b"".join(name + b": " + value + b"\r\n" for name, value in lines.items())
        with connected(self.urls[0]) as connection:
            connection.sendall(method + b" " + target + b" HTTP/1.1\r\n" + head + b"\r\n" + sent)
            if reset:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _lines(self, size: int) -> dict[bytes, bytes]:
        secret = self.secret.encode()
        return {
            b"Host": b"localhost",
            b"Connection": b"close",
            b"Content-Length": str(size).encode(),
            b"Content-Type": b"application/json",
            b"Authorization": b"Bearer " + secret,
            b"x-api-key": secret,
            b"api-key": secret,
        }


def _operation(method: str, path: str, item: Any, known: dict[str, str]) -> Operation:
    parameters = item.get("parameters", [])
    parts = {
        one["name"]: known.get(one["name"], "unknown") for one in parameters if one["in"] == "path"
    }
    query = [one for one in parameters if one["in"] == "query"]
    values = {"metric": "steps", "after_erasure": "true"}
    required = "&".join(
        f"{one['name']}={values.get(one['name'], '1')}" for one in query if one.get("required")
    )
    names = tuple(one["name"] for one in query)
    return Operation(method.upper().encode(), path, parts, names, required, "requestBody" in item)


def _odd_hosts(hostile: Hostile, operation: Operation) -> None:
    for host in HOSTS:
        hostile.send(operation.method, operation.target(), {b"Host": host})
    for headers in HEADERS:
        hostile.send(operation.method, operation.target(), headers)


def _odd_paths(hostile: Hostile, operation: Operation) -> None:
    for name in operation.parts:
        for value in JUNK:
            answer = hostile.send(operation.method, operation.target({name: value}))
            assert answer is None or answer.status >= 200
    for end in ("/", "//", "/..", ";a=b", "?", "%2e%2e"):
        path, _, query = operation.target().decode().partition("?")
        hostile.send(operation.method, f"{path}{end}?{query}".encode())


def _odd_queries(hostile: Hostile, operation: Operation) -> None:
    base = operation.required
    for name in operation.query:
        others = "&".join(part for part in base.split("&") if part and not part.startswith(name))
        for value in JUNK:
            hostile.send(operation.method, operation.target(query=f"{others}&{name}={value}"))
    for query in ("=", "&&&", "a=1&a=2", "%ff=%ff", "x[]=1", "a" * 50_000, base + "&" + base):
        hostile.send(operation.method, operation.target(query=query))


def _odd_bodies(hostile: Hostile, operation: Operation) -> None:
    for encoding, body in BODIES.values():
        headers = {b"Content-Encoding": encoding} if encoding else {}
        answer = hostile.send(operation.method, operation.target(), headers, body)
        # A schema may have any members; a replay without a body sends what was stored.
        if operation.has_body and not re.search("document-types|replay", operation.path):
            assert answer is not None
            assert answer.status >= 400, (operation, body[:80])
    for length in (b"9" * 30, b"-1", b"abc"):
        hostile.send(operation.method, operation.target(), {b"Content-Length": length}, b"{}")


def _odd_methods(hostile: Hostile, operation: Operation) -> None:
    allowed = hostile.send(b"OPTIONS", operation.target())
    assert allowed is not None
    assert allowed.status == 204
    allow = allowed.headers["allow"].split(", ")
    assert operation.method.decode() in allow
    assert ("HEAD" in allow) == ("GET" in allow)
    for method in METHODS:
        if method != b"DELETE" or operation.method != b"DELETE":
            answer = hostile.send(method, operation.target())
            assert answer is not None
            assert (answer.status == 405) == (method.decode() not in allow), (method, operation)


def _vanishing_clients(hostile: Hostile, operation: Operation) -> None:
    for sent in (b"", b'{"rules": [', b"[" * 900):
        for reset in (True, False):
            hostile.vanish(operation.method, operation.target(), sent, reset=reset)


WALKS: list[Callable[[Hostile, Operation], None]] = [
    *(_odd_paths, _odd_queries, _odd_bodies, _odd_methods, _vanishing_clients)
]


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__.strip("_"))
def test_no_operation_fails_on_what_is_hostile(
    hostile: Hostile, walk: Callable[[Hostile, Operation], None]
) -> None:
    """A request is answered with a 4xx, with what it asked for, or not at all."""
    assert len(hostile.operations) >= 40
    for operation in hostile.operations:
        walk(hostile, operation)


@pytest.mark.parametrize("deployment", ["on_sqlite"], indirect=True)
def test_no_operation_fails_on_odd_hosts_and_headers(hostile: Hostile) -> None:
    """They are read before the store, so one engine is enough."""
    for operation in hostile.operations:
        _odd_hosts(hostile, operation)


@pytest.mark.parametrize("path", ["/metrics", "/images/unknown", "/openapi.json", "/health/live"])
def test_what_the_document_does_not_list_does_not_fail(hostile: Hostile, path: str) -> None:
    """Images, metrics, and the document itself."""
    operation = Operation(b"GET", path, {}, (), "", has_body=False)
    for walk in (_odd_hosts, *WALKS):
        walk(hostile, operation)

"""What is told of every request: its id, a log line, and numbers for Prometheus."""

import re
from collections.abc import Callable
from functools import cache
from time import perf_counter

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from uptake.http.access import seen_key
from uptake.model import clock, ids

REQUESTS = Counter("uptake_requests", "Requests by route and status", ["route", "status"])
SECONDS = Histogram(
    "uptake_request_seconds",
    "Time from the request's first byte to the answer",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
"""A client may name its request; anything else is not worth a place in a header and a log."""


class RequestLine(msgspec.Struct):
    """The log line of a request.

    Attributes:
        key: id of the key that it carried, valid or not; None for a key that does not exist.
        peer: address that the connection came from: the client's, or that of a proxy.
    """

    timestamp: str
    level: str
    event: str
    request_id: str
    method: str
    route: str
    status: int
    ms: float
    key: str | None
    peer: str | None


class Telemetry:
    """Wraps an application: gives every request an id, and tells what became of it.

    The line names the route, never the path or the query: keys and user ids stand in those.

    Args:
        app: what answers.
        write_line: takes log lines, and must not take long.
    """

    def __init__(self, app: ASGIApp, write_line: Callable[[bytes], object]) -> None:
        self._app = app
        self._write_line = write_line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or pass on what is none."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 499
        seen_key.set(None)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                message["headers"] = headers
            await send(message)

        try:
            await self._app(_with_raw_path(scope), receive, send_with_id)
        finally:
            self._tell(scope, request_id, status, perf_counter() - started)

    def _tell(self, scope: HTTPScope, request_id: str, status: int, seconds: float) -> None:
        route = scope.get("path_template") or "none"
        _requests(route, status).inc()
        _seconds(route).observe(seconds)
        line = RequestLine(
            clock.iso(clock.now()),
            "info",
            "request",
            request_id,
            scope["method"],
            route,
            status,
            round(seconds * 1000, 2),
            seen_key.get(),
            _peer(scope),
        )
        self._write_line(msgspec.json.encode(line) + b"\n")


@cache
def _requests(route: str, status: int) -> Counter:
    return REQUESTS.labels(route, status)


@cache
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode()
    return ids.time_ordered()


def _peer(scope: HTTPScope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _with_raw_path(scope: HTTPScope) -> HTTPScope:
    """Let a user id with a slash, sent as %2F, stay one part of the path.

    Handlers decode the parts that they take from it.
    """
    raw = scope.get("raw_path") or b""
    if b"%" in raw:
        scope["path"] = raw.partition(b"?")[0].decode("utf-8", "replace")
    return scope

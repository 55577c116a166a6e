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
from uptake.http.address import peer_of
from uptake.model import clock, ids

REQUESTS = Counter("uptake_requests", "Requests by route and status", ["route", "status"])
SECONDS = Histogram(
    "uptake_request_seconds",
    "Time from the request's first byte to the answer",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")
"""A client may choose the id of its request, in a form that holds a UUID and cannot forge a line of
a log. Anything else in the header is ignored."""

MAX_METHOD = 20
"""Characters of a request's method in the log; the longest that is registered has 17."""


class RequestLine(msgspec.Struct):
    """The log line of a request.

    Attributes:
        request_id: as answered in `X-Request-Id`: the client's, if it sent one.
        own_request_id: the server's own, where the client sent one: clients may repeat theirs.
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
    own_request_id: str | msgspec.UnsetType = msgspec.UNSET


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
        own_id = ids.time_ordered()
        request_id = _sent_id(scope) or own_id
        method = scope["method"]
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
            route = scope.get("path_template") or "none"
            seconds = perf_counter() - started
            _requests(route, status).inc()
            _seconds(route).observe(seconds)
            line = RequestLine(
                clock.iso(clock.now()),
                "info",
                "request",
                request_id,
                method[:MAX_METHOD],
                route,
                status,
                round(seconds * 1000, 2),
                seen_key.get(),
                peer_of(scope) or None,
                msgspec.UNSET if request_id is own_id else own_id,
            )
            self._write_line(msgspec.json.encode(line) + b"\n")


@cache
def _requests(route: str, status: int) -> Counter:
    return REQUESTS.labels(route, status)


@cache
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)


def _sent_id(scope: HTTPScope) -> str | None:
    """The request id that a client sent, if it is one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if REQUEST_ID.fullmatch(value) else None
    return None


def _with_raw_path(scope: HTTPScope) -> HTTPScope:
    """Let a user id with a slash, sent as %2F, stay one part of the path.

    Handlers decode the parts that they take from it.
    """
    raw = scope.get("raw_path") or b""
    if b"%" in raw:
        scope["path"] = raw.partition(b"?")[0].decode("utf-8", "replace")
    return scope

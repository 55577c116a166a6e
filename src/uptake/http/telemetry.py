"""Request ids, log lines and metrics of requests."""

import re
from collections.abc import Callable
from functools import cache
from time import perf_counter

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from uptake.http.access import seen_key
from uptake.http.semantics import peer_of
from uptake.model import clock, ids

REQUESTS = Counter("uptake_requests", "Requests by route and status", ["route", "status"])
SECONDS = Histogram(
    "uptake_request_seconds",
    "Time from the request's first byte to the answer",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")
"""Valid request ids of clients: they hold a UUID and cannot forge log lines. Any other value of the
header is ignored."""

MAX_METHOD = 20
"""Characters of a method in the log; the longest registered method has 17."""


class RequestLine(msgspec.Struct):
    """The log line of a request.

    Attributes:
        request_id: as returned in `X-Request-Id`: the client's, if it sent one.
        own_request_id: the server's, if the client sent one: clients may reuse theirs.
        key: id of the API key, valid or not; None if there is no such key.
        peer: IP address of the client or a proxy.
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
    """Middleware that gives each request an id, logs it and counts it.

    The log line has the route, never the path or the query, which contain keys and user ids.

    Args:
        app: the application.
        write_line: writes a log line; must not block.
    """

    def __init__(self, app: ASGIApp, write_line: Callable[[bytes], object]) -> None:
        self._app = app
        self._write_line = write_line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; pass on other events."""
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
    """The request id that the client sent, if it is valid."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if REQUEST_ID.fullmatch(value) else None
    return None


def _with_raw_path(scope: HTTPScope) -> HTTPScope:
    """Use the encoded path, so that a user id with `%2F` stays one part of it.

    Handlers decode the parts.
    """
    raw = scope.get("raw_path") or b""
    if b"%" in raw:
        scope["path"] = raw.partition(b"?")[0].decode("utf-8", "replace")
    return scope

"""What is told of every request: its id, a log line, and numbers for Prometheus."""

import logging
import os
import re
import sys
from time import perf_counter
from typing import Any

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from uptake.model import ids

REQUESTS = Counter("uptake_requests", "Requests by route and status", ["route", "status"])
SECONDS = Histogram(
    "uptake_request_seconds",
    "Time from the request's first byte to the answer",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
"""A client may name its request; anything else is not worth a place in a header and a log."""

_log = structlog.get_logger()


def set_up_logging() -> None:
    """One JSON object a line on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(os.environ.get("UPTAKE_LOG_LEVEL", "INFO"), 20)
        ),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _serialise(event: dict[str, Any], **_options: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


class Telemetry:
    """Wraps an application: gives every request an id, and tells what became of it.

    The line names the route, never the path or the query: keys and user ids stand in those.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or pass on what is none."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 499

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
            seconds = perf_counter() - started
            route = scope["state"].get("route", "none")
            REQUESTS.labels(route, status).inc()
            SECONDS.labels(route).observe(seconds)
            _log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
            )


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode()
    return ids.time_ordered()


def _with_raw_path(scope: HTTPScope) -> HTTPScope:
    """Let a user id with a slash, sent as %2F, stay one part of the path.

    Handlers decode the parts that they take from it.
    """
    raw = scope.get("raw_path") or b""
    if b"%" in raw:
        scope["path"] = raw.partition(b"?")[0].decode("utf-8", "replace")
    return scope

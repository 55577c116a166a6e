"""What HTTP asks of every route alike: `Host`, one spelling of a path, HEAD, OPTIONS, 405."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from uptake.http.problems import Handler
from uptake.http.route_table import Operations, Query, RouteTable
from uptake.model.problems import Kinds, Problem

HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){0,255})(?::([0-9]{0,5}))?"
)
"""The value of a `Host` header (RFC 9110, 7.2; RFC 3986, 3.2.2); a name has at most 255 characters
(RFC 1035)."""

MAX_PORT = 65_535
ADMITTED = "key"
"""In a request's state, the key that was admitted."""


_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Semantics:
    """Wraps an application: answers what needs no handler, and hides HEAD from the handlers.

    A path is served only as it is documented: `/metrics/` or `//metrics` would pass a proxy that
    keeps `/metrics` inside.

    Args:
        app: what answers.
        table: which paths and methods it has.
        problems: turns a problem into an answer.
    """

    def __init__(self, app: ASGIApp, table: RouteTable, problems: Handler) -> None:
        self._app = app
        self._table = table
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or pass on what is none."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        sender = _without_body(send) if is_head else send
        try:
            operations = self._check(scope)
        except Problem as problem:
            await self._answer(scope, problem)(scope, receive, sender)
            return
        allow = {"Allow": operations.allow}
        if scope["method"] == "OPTIONS":
            await ASGIResponse(status_code=204, headers=allow)(scope, receive, send)
            return
        if not operations.offers(scope["method"]):
            rejected = self._answer(scope, Problem(Kinds.METHOD_NOT_ALLOWED), allow)
            await rejected(scope, receive, sender)
            return
        if is_head:
            # See `is_head`: handlers that stream do not begin what will not be sent.
            scope["state"]["head"] = True
            scope["method"] = "GET"
        scope["state"]["query"] = operations.queries[scope["method"]]
        await self._app(scope, receive, sender)

    def _check(self, scope: HTTPScope) -> Operations:
        """What the path offers.

        Raises:
            Problem: `BAD_REQUEST` or `NOT_FOUND`.
        """
        check_host([value for name, value in scope["headers"] if name == b"host"])
        path = scope["path"]
        if "%" in path and not _is_utf8(path.encode()):
            raise Problem(Kinds.NOT_FOUND, "The path is not UTF-8 in percent-encoding")
        operations = self._table.find(path)
        if operations is None:
            raise Problem(Kinds.NOT_FOUND)
        return operations

    def _answer(
        self, scope: HTTPScope, problem: Problem, headers: dict[str, str] | None = None
    ) -> ASGIApp:
        request: Request[Any, Any, Any] = Request(scope)
        response = self._problems.answer(request, problem)
        response.headers.update(headers or {})
        return response.to_asgi_response(app=None, request=request)


def check_host(values: list[bytes]) -> None:
    """Reject a request whose `Host` is not one (RFC 9112, 3.2).

    Raises:
        Problem: `BAD_REQUEST`.
    """
    if len(values) > 1:
        raise Problem(Kinds.BAD_REQUEST, "The request has more than one Host header")
    if values and not _is_host(values[0]):
        raise Problem(Kinds.BAD_REQUEST, "The Host header is not a host with an optional port")


@lru_cache(1024)
def _is_host(value: bytes) -> bool:
    found = HOST.fullmatch(value)
    return found is not None and int(found[1] or 0) <= MAX_PORT


async def check_query(
    connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
) -> None:
    """Reject a query with parameters that the operation does not have.

    They would be ignored, and a misspelled filter would select everything. This is for the
    product's own API, once a key was admitted: to vendors' endpoints and images, clients add
    parameters of their own.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    query: bytes = connection.scope["query_string"]
    state = connection.scope["state"]
    if not query or ADMITTED not in state:
        return
    known: Query = state["query"]
    if not _is_utf8(query):
        raise Problem(Kinds.BAD_REQUEST, "The query is not UTF-8 in percent-encoding")
    seen = set()
    for name, _ in parse_qsl(query.decode(), keep_blank_values=True):
        if name not in known.names:
            raise Problem(Kinds.BAD_REQUEST, f"Unknown query parameter {name[:40]!r}")
        if name in seen and name not in known.repeatable:
            raise Problem(Kinds.BAD_REQUEST, f"{name}: given more than once")
        seen.add(name)


def _is_utf8(encoded: bytes) -> bool:
    """Whether percent-encoded text stands for UTF-8."""
    if _BAD_ESCAPE.search(encoded):
        return False
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_body(send: Send) -> Send:
    """Send an answer's status and headers; of its body, only that it is over."""
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head

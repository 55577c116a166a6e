"""HTTP rules that are the same for every route: `Host`, paths, HEAD, OPTIONS, 405, query names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_to_bytes

from litestar import Request
from litestar.enums import ScopeType
from litestar.response.base import ASGIResponse

from uptake.http.litestar_internals import operations
from uptake.model.problems import Kinds, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.routes import BaseRoute
    from litestar.types import (
        ASGIApp,
        HTTPResponseStartEvent,
        HTTPScope,
        Message,
        Receive,
        Scope,
        Send,
    )

    from uptake.http.problems import Handler

HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){0,255})(?::([0-9]{0,5}))?"
)
"""A valid `Host` header (RFC 9110, 7.2; RFC 3986, 3.2.2); a name has at most 255 characters
(RFC 1035)."""

MAX_PORT = 65_535
AUTHENTICATED = "key"
"""Name of the authenticated key in a request's state."""

NO_ROUTE = "There is no such path; GET /openapi.json lists all paths"

ADDED_METHODS = ("HEAD", "OPTIONS")
"""Methods that this module serves: HEAD where there is GET, OPTIONS everywhere."""

AnyRequest = Request[Any, Any, Any]

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Reply:
    """A response with its headers as they are sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class VendorRoute:
    """A route that `Semantics` serves without the framework.

    Attributes:
        method: of the request.
        path: template; a part in braces is a parameter.
        serve: returns the response, from the request and the encoded parameters of its path, or an
            application that sends it.
    """

    method: str
    path: str
    serve: Callable[[HTTPScope, Receive, Sequence[str]], Awaitable[Reply | ASGIApp]]

    @property
    def parts(self) -> list[str | None]:
        """The parts of the path; None for a parameter."""
        return [None if part.startswith("{") else part for part in self.path.split("/")[1:]]


@dataclass(slots=True)
class PathMethods:
    """The methods of a path.

    Attributes:
        queries: for each method its query parameters: name, and whether it is repeatable.
        vendors: the routes of vendors by method.
        allow: value of the `Allow` header.
    """

    queries: dict[str, dict[str, bool]] = field(default_factory=dict)
    vendors: dict[str, VendorRoute] = field(default_factory=dict)
    allow: str = ""

    def has(self, method: str) -> bool:
        """Whether a request with this method can be answered."""
        return method in self.queries or (method == "HEAD" and "GET" in self.queries)

    def add(self, method: str, query: dict[str, bool]) -> None:
        """Add a method."""
        self.queries[method] = query
        added = ADDED_METHODS if "GET" in self.queries else ("OPTIONS",)
        self.allow = ", ".join(sorted({*self.queries, *added}))


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    methods: PathMethods = field(default_factory=PathMethods)


class RouteTable:
    """Finds the methods of a path.

    Litestar's own router accepts `//metrics/` for `/metrics`, and knows neither HEAD nor all
    methods of a path that several handlers share. The search order is Litestar's: a literal part
    before a parameter, without backtracking.

    Args:
        routes: those of the framework.
        vendors: those that are served without it.
        hidden: path below which no route is served.
    """

    def __init__(
        self, routes: Iterable[BaseRoute], vendors: Iterable[VendorRoute], hidden: str
    ) -> None:
        self._root = _Node()
        for route, method, _, query in operations(routes):
            if method not in ADDED_METHODS and not route.path.startswith(hidden):
                parts = [part if isinstance(part, str) else None for part in route.path_components]
                self._node(parts).methods.add(method, query)
        for vendor in vendors:
            methods = self._node(vendor.parts).methods
            methods.add(vendor.method, {})
            methods.vendors[vendor.method] = vendor

    def _node(self, parts: Iterable[str | None]) -> _Node:
        node = self._root
        for part in parts:
            if part is not None:
                node = node.children.setdefault(part, _Node())
            else:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        return node

    def find(self, path: str) -> tuple[PathMethods, list[str]] | None:
        """The methods of a path that is spelled exactly as that of a route, and its parameters."""
        first, *parts = path.split("/")
        if first or not parts:
            return None
        node = self._root
        values: list[str] = []
        for part in parts:
            following = node.children.get(part)
            if following is None:
                following = node.parameter
                values.append(part)
            if following is None or not (part or path == "/"):
                return None
            node = following
        return (node.methods, values) if node.methods.queries else None


class Semantics:
    """Middleware that answers requests without a handler, and shows HEAD to handlers as GET.

    A path is served only as it is documented: `/metrics/` or `//metrics` would bypass a proxy rule
    for `/metrics`.

    Args:
        app: the application.
        table: its paths and methods.
        problems: turns a problem into a response.
    """

    def __init__(self, app: ASGIApp, table: RouteTable, problems: Handler) -> None:
        self._app = app
        self._table = table
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; pass on other events."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        sender = _without_body(send) if head else send
        try:
            methods, values = self._check(scope)
        except Problem as problem:
            await self._answer(scope, problem)(scope, receive, sender)
            return
        route = methods.vendors.get("GET" if head else scope["method"])
        if route is not None:
            await self._serve(route, values, scope, receive, sender)
            return
        allow = {"Allow": methods.allow}
        if scope["method"] == "OPTIONS":
            await ASGIResponse(status_code=204, headers=allow)(scope, receive, send)
            return
        if not methods.has(scope["method"]):
            rejected = self._answer(scope, Problem(Kinds.METHOD_NOT_ALLOWED), allow)
            await rejected(scope, receive, sender)
            return
        if head:
            # See `is_head`: handlers do not read a body that will not be sent.
            scope["state"]["head"] = True
            scope["method"] = "GET"
        scope["state"]["query"] = methods.queries[scope["method"]]
        await self._app(scope, receive, sender)

    async def _serve(
        self,
        route: VendorRoute,
        values: Sequence[str],
        scope: HTTPScope,
        receive: Receive,
        send: Send,
    ) -> None:
        scope["path_template"] = route.path
        try:
            reply = await route.serve(scope, receive, values)
            if not isinstance(reply, Reply):
                await reply(scope, receive, send)
                return
        except Exception as error:  # noqa: BLE001 - every request gets an answer
            request: AnyRequest = Request(scope)
            failed = self._problems(request, error).to_asgi_response(app=None, request=request)
            await failed(scope, receive, send)
            return
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": reply.status,
            "headers": reply.headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})

    def _check(self, scope: HTTPScope) -> tuple[PathMethods, list[str]]:
        """The methods of the path, and its parameters.

        Raises:
            Problem: `BAD_REQUEST` or `NOT_FOUND`.
        """
        check_host([value for name, value in scope["headers"] if name == b"host"])
        path = scope["path"]
        if "%" in path and not _is_utf8(path.encode()):
            raise Problem(Kinds.NOT_FOUND, "The path is not percent-encoded UTF-8")
        found = self._table.find(path)
        if found is None:
            raise Problem(Kinds.NOT_FOUND, NO_ROUTE)
        return found

    def _answer(
        self, scope: HTTPScope, problem: Problem, headers: dict[str, str] | None = None
    ) -> ASGIApp:
        request: Request[Any, Any, Any] = Request(scope)
        response = self._problems.answer(request, problem)
        response.headers.update(headers or {})
        return response.to_asgi_response(app=None, request=request)


def is_head(scope: Scope) -> bool:
    """Whether the request is HEAD; `Semantics` shows it to handlers as GET."""
    return bool(scope["state"].get("head"))


def base_url(configured: str, scope: HTTPScope, headers: Mapping[str, str]) -> str:
    """The configured base URL, or the one that a request was sent to; without a trailing slash."""
    return configured or f"{scope['scheme']}://{headers.get('host') or 'localhost'}"


def peer_of(scope: HTTPScope) -> str:
    """The IP address of the peer: the client or a proxy; "" if unknown."""
    client = scope.get("client")
    return client[0] if client else ""


def check_host(values: list[bytes]) -> None:
    """Reject a request with an invalid `Host` header (RFC 9112, 3.2).

    Raises:
        Problem: `BAD_REQUEST`.
    """
    if len(values) > 1:
        raise Problem(Kinds.BAD_REQUEST, "The request has more than one Host header")
    if values and not _is_host(values[0]):
        raise Problem(Kinds.BAD_REQUEST, "The Host header must be a host with an optional port")


@lru_cache(1024)
def _is_host(value: bytes) -> bool:
    found = HOST.fullmatch(value)
    return found is not None and int(found[1] or 0) <= MAX_PORT


async def check_query(
    connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
) -> None:
    """Reject unknown and repeated query parameters: a misspelled filter would select everything.

    This applies to authenticated requests to `/uptake/v1`. Clients of vendor endpoints and images
    may add parameters of their own.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    query: bytes = connection.scope["query_string"]
    state = connection.scope["state"]
    if not query or AUTHENTICATED not in state:
        return
    known: dict[str, bool] = state["query"]
    if not _is_utf8(query):
        raise Problem(Kinds.BAD_REQUEST, "The query is not percent-encoded UTF-8")
    seen = set()
    for name, _ in parse_qsl(query.decode(), keep_blank_values=True):
        if name not in known:
            expected = f"expected: {', '.join(sorted(known))}" if known else "this path has none"
            raise Problem(Kinds.BAD_REQUEST, f"Unknown query parameter {name[:40]!r}; {expected}")
        if name in seen and not known[name]:
            raise Problem(Kinds.BAD_REQUEST, f"{name}: must not be repeated")
        seen.add(name)


def _is_utf8(encoded: bytes) -> bool:
    """Whether percent-encoded bytes decode to UTF-8."""
    if _BAD_ESCAPE.search(encoded):
        return False
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_body(send: Send) -> Send:
    """Send only the status and the headers of a response."""
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head

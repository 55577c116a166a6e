"""Everything that depends on undocumented parts of Litestar.

`pyproject.toml` caps the version of Litestar, because these parts may change in a minor release.
"""

from collections.abc import Iterable, Iterator

from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import Guard, HTTPResponseStartEvent, Receive, Scope, Send


class UnguardedHandler(HTTPRouteHandler):
    """A handler without the application's guards: `Ingest` authenticates uploads itself.

    Litestar copies a handler for each guard of each request, 5% of the time of a small upload.
    """

    def resolve_guards(self) -> list[Guard]:
        """Return no guards."""
        return []


class RawResponse(ASGIResponse):
    """A response that passes its headers to the server as they are.

    Litestar's response compares each header with all earlier ones, 10% of the time of a small
    upload.
    """

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        self._status = status
        self._headers = headers
        self._body = body

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": self._status,
            "headers": self._headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


class ResponseWithoutLength(ASGIResponse):
    """A response that has no `Content-Length` unless it is given one."""

    _should_set_content_length = False


def operations(
    routes: Iterable[BaseRoute],
) -> Iterator[tuple[HTTPRoute, str, HTTPRouteHandler, dict[str, bool]]]:
    """Every operation of an application.

    Yields:
        Route, method, handler, and query parameters: name, and whether it is repeatable.
    """
    for route in routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, model) in route.route_handler_map.items():
                parameters = model.expected_query_params
                yield route, method, handler, {p.field_alias: p.is_sequence for p in parameters}

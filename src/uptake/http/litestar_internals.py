"""Everything that depends on undocumented parts of Litestar.

`pyproject.toml` caps the version of Litestar, because these parts may change in a minor release.
"""

from collections.abc import Iterable, Iterator

from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.routes import BaseRoute, HTTPRoute


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

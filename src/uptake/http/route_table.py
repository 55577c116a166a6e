"""Which methods and query parameters each path has, taken from the routes of Litestar.

Litestar's own router takes `//metrics/` for `/metrics`, and knows neither HEAD nor all the methods
of a path that several handlers share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from litestar.routes import BaseRoute, HTTPRoute

ALWAYS = ("HEAD", "OPTIONS")
"""Methods that this server adds: HEAD where there is GET, OPTIONS everywhere."""


@dataclass(slots=True)
class Query:
    """The query parameters of an operation; of these, `repeatable` may be given several times."""

    names: frozenset[str]
    repeatable: frozenset[str]


@dataclass(slots=True)
class Operations:
    """What a path offers: its queries by method, and the value of an `Allow` header."""

    queries: dict[str, Query] = field(default_factory=dict)
    allow: str = ""

    def offers(self, method: str) -> bool:
        """Whether a request with this method can be answered."""
        return method in self.queries or (method == "HEAD" and "GET" in self.queries)

    def add(self, method: str, query: Query) -> None:
        """Offer a method."""
        self.queries[method] = query
        added = ("HEAD", "OPTIONS") if "GET" in self.queries else ("OPTIONS",)
        self.allow = ", ".join(sorted({*self.queries, *added}))


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    operations: Operations = field(default_factory=Operations)


class RouteTable:
    """Finds what a path offers.

    It searches as Litestar does: a literal part before a parameter, without backtracking.

    Args:
        routes: those of the application.
        hidden: path below which no route is served.
    """

    def __init__(self, routes: Iterable[BaseRoute], hidden: str) -> None:
        self._root = _Node()
        for route in routes:
            if isinstance(route, HTTPRoute) and not route.path.startswith(hidden):
                self._add(route)

    def _add(self, route: HTTPRoute) -> None:
        node = self._root
        for part in route.path_components:
            if isinstance(part, str):
                node = node.children.setdefault(part, _Node())
            else:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        for method, (_, model) in route.route_handler_map.items():
            if method not in ALWAYS:
                parameters = model.expected_query_params
                query = Query(
                    frozenset(one.field_alias for one in parameters),
                    frozenset(one.field_alias for one in parameters if one.is_sequence),
                )
                node.operations.add(method, query)

    def find(self, path: str) -> Operations | None:
        """What a path offers, if it is spelled exactly as that of a route."""
        first, *parts = path.split("/")
        if first or not parts:
            return None
        node = self._root
        for part in parts:
            following = node.children.get(part) or node.parameter
            if following is None or not part:
                return None
            node = following
        return node.operations if node.operations.queries else None

"""Reads parts of a request that handlers need: headers, addresses, and whether it is HEAD."""

from collections.abc import Iterable, Mapping
from typing import Any

from litestar import Request
from litestar.types import HTTPScope, Scope

AnyRequest = Request[Any, Any, Any]


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by lower-case name; of several with the same name, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


def public_url(request: AnyRequest, configured: str) -> str:
    """The configured base URL, or that of the request; without a trailing slash."""
    return configured or request_url(request.scope["scheme"], request.headers)


def request_url(scheme: str, headers: Mapping[str, str]) -> str:
    """The base URL that a request was sent to; without a trailing slash."""
    return f"{scheme}://{headers.get('host') or 'localhost'}"


def peer_of(scope: HTTPScope) -> str:
    """The IP address of the peer: the client or a proxy; "" if unknown."""
    client = scope.get("client")
    return client[0] if client else ""


def is_head(scope: Scope) -> bool:
    """Whether the request is HEAD; `Semantics` shows it to handlers as GET."""
    return bool(scope["state"].get("head"))

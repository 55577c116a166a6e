"""What a request's scope says: the address that it came to and from, and whether it is HEAD."""

from collections.abc import Mapping
from typing import Any

from litestar import Request
from litestar.types import HTTPScope, Scope


def public_url(request: Request[Any, Any, Any], configured: str) -> str:
    """The configured address, or else the one that a request came to; no slash at the end."""
    if configured:
        return configured
    return reached_at(request.scope["scheme"], request.headers)


def reached_at(scheme: str, headers: Mapping[str, str]) -> str:
    """The address that a request with these headers came to; no slash at the end."""
    return f"{scheme}://{headers.get('host') or 'localhost'}"


def peer_of(scope: HTTPScope) -> str:
    """The address that a connection came from: the client's, or that of a proxy; "" if unknown."""
    client = scope.get("client")
    return client[0] if client else ""


def is_head(scope: Scope) -> bool:
    """Whether a request that a handler sees as GET is HEAD: nothing of the body will be sent."""
    return bool(scope["state"].get("head"))

"""Under which address the server is reached."""

from collections.abc import Mapping
from typing import Any

from litestar import Request


def public_url(request: Request[Any, Any, Any], configured: str) -> str:
    """The configured address, or else the one that a request came to; no slash at the end."""
    if configured:
        return configured
    return reached_at(request.scope["scheme"], request.headers)


def reached_at(scheme: str, headers: Mapping[str, str]) -> str:
    """The address that a request with these headers came to; no slash at the end."""
    return f"{scheme}://{headers.get('host') or 'localhost'}"

"""Under which address the server is reached."""

from typing import Any

from litestar import Request


def public_url(request: Request[Any, Any, Any], configured: str) -> str:
    """The configured address, or else the one that a request came to; no slash at the end."""
    if configured:
        return configured
    host = request.headers.get("host") or "localhost"
    return f"{request.scope['scheme']}://{host}"

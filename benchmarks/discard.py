"""An ASGI application that discards requests: it measures the limit of the load generator.

Its rate is the maximum of the load generator, the loopback interface and the HTTP server together.
A figure of the product close to this maximum would measure the generator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

_ANSWER = b"{}"
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def app(
    _scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer 200 when the whole body has been read."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})

"""An ASGI application that reads a request and throws it away: the ceiling of the generator.

What it reaches on the product's own HTTP server is the most that the load generator, the loopback
and that HTTP server can do together; a figure of the product close to it would say nothing.
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

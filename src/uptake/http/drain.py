"""An answer that comes before the body is through: what is left of the body is read after it.

A sender that is still writing when the connection closes sees it break, not the answer.
"""

import asyncio
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

DISCARD = 32 * 1024 * 1024
"""Bytes of a body that are read and thrown away at most."""

DISCARD_SECONDS = 10.0


class Drain:
    """Wraps an application: reads to its end, within bounds, a body that was answered before.

    Args:
        app: what answers.
        limit: bytes that are thrown away at most.
        seconds: how long that may take.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int = DISCARD, seconds: float = DISCARD_SECONDS
    ) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or pass on what is none."""
        if scope["type"] != ScopeType.HTTP or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        more = True

        async def receive_counted() -> Any:
            nonlocal more
            message = await receive()
            more = _goes_on(message)
            return message

        await self._app(scope, receive_counted, send)
        if more:
            await self._discard(receive)

    async def _discard(self, receive: Receive) -> None:
        size, more = 0, True
        try:
            async with asyncio.timeout(self._seconds):
                while more and size < self._limit:
                    message: Any = await receive()
                    size += len(message.get("body", b""))
                    more = _goes_on(message)
        except TimeoutError:
            return


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _goes_on(message: Any) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body", False))

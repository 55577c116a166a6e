"""Calls operations of the API in the process, for pages of the console."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlencode

from litestar.types import ASGIApp, HTTPScope, Receive, Send

from uptake.console.visit import Answer
from uptake.http.access import SIGNED_IN
from uptake.http.limits import disconnected
from uptake.store.definitions import Key

FORWARDED = (b"host", b"x-forwarded-proto", b"accept", b"last-event-id")
"""Headers of the browser's request that its requests to the API have too."""


class InProcessApi:
    """Calls operations with the key of a session. See `uptake.console.visit.Api`.

    The same checks apply as to every client: `Access.guard` reads the key from the state of the
    request, which no client can set.

    Args:
        app: the application that has the operations.
        key: of the session.
        scope: of the browser's request.
        receive: of the same; its body is read.
    """

    def __init__(self, app: ASGIApp, key: Key, scope: HTTPScope, receive: Receive) -> None:
        self._app = app
        self._key = key
        self._scope = scope
        self._receive = receive
        self._gone: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._gone is not None:
            self._gone.cancel()

    async def __call__(
        self, method: str, path: str, query: Mapping[str, str], content: bytes
    ) -> Answer:
        """See `Api`."""
        status, parts = 0, []

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        await self.send_to(send, method, path, query, content)
        return Answer(status, b"".join(parts))

    async def send_to(
        self,
        send: Send,
        method: str,
        path: str,
        query: Mapping[str, str],
        content: bytes = b"",
    ) -> None:
        """Call an operation, and pass its response on while it is sent."""
        headers = [(name, value) for name, value in self._scope["headers"] if name in FORWARDED]
        if content:
            headers.append((b"content-length", b"%d" % len(content)))
        changed = {
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(query).encode(),
            "headers": headers,
            "state": {
                "request_id": self._scope["state"]["request_id"],
                SIGNED_IN: self._key,
            },
        }
        scope: Any = {**self._scope, **changed}
        del scope["path_template"]
        body = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Any:
            if body:
                return body.pop()
            # Several requests wait for the same disconnection, and each stops to wait for it.
            self._gone = self._gone or asyncio.create_task(disconnected(self._receive))
            await asyncio.shield(self._gone)
            return {"type": "http.disconnect"}

        await self._app(scope, receive, send)

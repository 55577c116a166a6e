"""A body that is sent while it is read, so that no more than a piece of it is in memory."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

PIECE = 128 * 1024
"""Bytes handed to the server at once; it takes a few of them ahead of a slow client."""

SEND_SECONDS = 60.0
"""How long a client may take to make room for the next piece."""


class CutOff(Exception):
    """What is being sent cannot be read to its end."""


class Streamed(ASGIResponse):
    """An answer whose body comes in parts.

    When they end early the connection is closed, so that the client sees that its copy is not
    whole; a status cannot be told any more.

    Args:
        parts: the body; may raise `CutOff`.
        length: its bytes.
    """

    __slots__ = ("_length", "_parts")

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        length: int,
        *,
        status_code: int,
        headers: dict[str, Any],
        media_type: str,
    ) -> None:
        super().__init__(
            content_length=length, status_code=status_code, headers=headers, media_type=media_type
        )
        self._parts = parts
        self._length = length

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send the parts, unless the client goes away."""
        gone = asyncio.ensure_future(_gone(receive))
        left = self._length
        try:
            async for part in self._parts:
                for start in range(0, len(part), PIECE):
                    if gone.done():
                        return
                    piece = part[start : start + PIECE]
                    left -= len(piece)
                    async with asyncio.timeout(SEND_SECONDS):
                        await send(
                            {"type": "http.response.body", "body": piece, "more_body": left > 0}
                        )
        except (CutOff, TimeoutError):
            return
        finally:
            gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Streamed responses: the body is sent while it is read, and at most one part is in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar.types import Receive, Send

from uptake.http.limits import disconnected
from uptake.http.litestar_internals import ResponseWithoutLength

SEND_SECONDS = 60.0
"""Time limit for a client to accept the next part. A stalled client holds a snapshot of the
database or memory."""


class CutOff(Exception):
    """The rest of the body cannot be read."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The body of a streamed response.

    Attributes:
        parts: the body; may raise `CutOff`.
        length: bytes of the body; None if unknown.
        close: called when no more parts will be read.
        shutdown: ends the response when it is set.
    """

    parts: AsyncIterator[bytes]
    length: int | None = None
    close: Callable[[], Awaitable[None]] | None = None
    shutdown: asyncio.Event | None = None


class StreamedResponse(ResponseWithoutLength):
    """A response with a body that is read and sent in parts.

    If the body ends early, the connection is closed without the last chunk (RFC 9112, 8), so that
    the client notices: the status has already been sent.
    """

    __slots__ = ("_stream",)

    def __init__(
        self, stream: Stream, headers: dict[str, Any], media_type: str, *, status_code: int = 200
    ) -> None:
        if stream.length is not None:
            headers["Content-Length"] = str(stream.length)
        super().__init__(status_code=status_code, headers=headers, media_type=media_type)
        self._stream = stream

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send the parts until the end, a disconnect, a stalled client or the shutdown."""
        ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(disconnected(receive))]
        stream = self._stream
        if stream.shutdown is not None:
            ends.append(asyncio.ensure_future(stream.shutdown.wait()))
        left = stream.length
        try:
            async for part in stream.parts:
                if left is not None:
                    left -= len(part)
                if not await _sent(send, part, ends, more=left != 0):
                    return
            if left is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except CutOff:
            return
        finally:
            for end in ends:
                end.cancel()
            if stream.close is not None:
                await asyncio.shield(stream.close())


async def _sent(send: Send, part: bytes, ends: list[asyncio.Future[Any]], *, more: bool) -> bool:
    """Send a part; whether it was accepted in time and there is a reason to send the next."""
    sending = asyncio.ensure_future(
        send({"type": "http.response.body", "body": part, "more_body": more})
    )
    done, _ = await asyncio.wait(
        [sending, *ends], timeout=SEND_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    if done == {sending}:
        await sending
        return True
    sending.cancel()
    return False

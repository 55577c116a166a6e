"""Exports over HTTP: made while they are sent, in threads, and no faster than they are taken."""

import asyncio
import threading
from collections.abc import Awaitable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import structlog
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from uptake.blobs import BlobsUnavailable
from uptake.exports import Export
from uptake.http.address import is_head
from uptake.http.executors import EXPORTS_AT_ONCE, BoundedExecutor
from uptake.http.ingest import AnyRequest
from uptake.http.problems import problem_of
from uptake.http.stopping import Stopping
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable

STALL_SECONDS = 60.0
"""How long a receiver may take for a part: while one does not read, its snapshot is held, and what
was written since cannot be folded into the database file."""

CURSOR_HEADER = "Uptake-Cursor"

_log = structlog.get_logger()


class Running:
    """An export under way, opened, read and closed by whatever thread has time for it."""

    def __init__(self, opening: AbstractContextManager[Export]) -> None:
        self._opening = opening
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._export: Export | None = None

    def open(self) -> str | None:
        """Begin; the cursor after it."""
        with self._lock:
            self._export = self._stack.enter_context(self._opening)
            return self._export.cursor

    def next(self) -> bytes | None:
        """The next part, None after the last."""
        with self._lock:
            return None if self._export is None else next(self._export.parts, None)

    def close(self) -> None:
        """Let go of the snapshot, once nobody reads it; what is left is not made any more."""
        with self._lock:
            self._export = None
            self._stack.close()


class Exports:
    """Makes answers of exports, a few at a time."""

    def __init__(self, stopping: Stopping, executor: BoundedExecutor) -> None:
        self.stopping = stopping
        self._executor = executor
        self._places = EXPORTS_AT_ONCE

    async def answer(
        self,
        request: AnyRequest,
        opening: AbstractContextManager[Export],
        media_type: str,
        headers: dict[str, str],
    ) -> ASGIResponse:
        """An export as an answer, with its cursor in a header; HEAD does not begin it.

        Raises:
            Problem: `OVERLOADED`, or what opening it fails with.
        """
        self.stopping.reject()
        if is_head(request.scope):
            headers["Content-Type"] = media_type
            return ASGIResponse(headers=headers, is_head_response=True)
        if not self._places:
            raise Problem(Kinds.OVERLOADED, f"{EXPORTS_AT_ONCE} exports are being made already")
        self._places -= 1
        running = Running(opening)
        try:
            cursor = await self.run(running.open)
            # Most of what can fail fails here, where the answer can still say so.
            first = await self.run(running.next)
        except BaseException as error:
            await self.done(running)
            raise problem_of(error, cursor="since") or error from error
        if cursor is not None:
            headers[CURSOR_HEADER] = cursor
        return _Streamed(
            self, running, first, request.scope["state"]["request_id"], headers, media_type
        )

    async def run(self, work: Any) -> Any:
        """Have something done by one of the threads."""
        return await self._executor.run(work)

    async def done(self, running: Running) -> None:
        """Close an export, and make place for another."""
        try:
            with suppress(StoreUnavailable):
                await self.run(running.close)
        finally:
            self._places += 1


class _Streamed(ASGIResponse):
    """An answer that ends without its last chunk when the export breaks off (RFC 9112, 8)."""

    _should_set_content_length = False

    def __init__(  # noqa: PLR0913, PLR0917 - what is sent, and how
        self,
        exports: Exports,
        running: Running,
        first: bytes | None,
        request_id: str,
        headers: dict[str, str],
        media_type: str,
    ) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._exports = exports
        self._running = running
        self._first = first
        self._request_id = request_id

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send part after part until the last, or until the receiver is gone."""
        ends = [
            asyncio.ensure_future(_gone(receive)),
            asyncio.ensure_future(self._exports.stopping.begun.wait()),
        ]
        try:
            part = self._first
            while part is not None:
                sending = send({"type": "http.response.body", "body": part, "more_body": True})
                if not await _taken(sending, ends):
                    return
                part = await self._exports.run(self._running.next)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (StoreUnavailable, BlobsUnavailable) as error:
            _log.error("export broken off", request_id=self._request_id, reason=str(error))
        finally:
            for end in ends:
                end.cancel()
            await asyncio.shield(self._exports.done(self._running))


async def _taken(sending: Awaitable[None], ends: Sequence[asyncio.Future[Any]]) -> bool:
    """Whether a part was taken in time, and there is a reason to send the next one."""
    sent = asyncio.ensure_future(sending)
    done, _ = await asyncio.wait(
        [sent, *ends], timeout=STALL_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    if done == {sent}:
        await sent
        return True
    sent.cancel()
    return False


async def _gone(receive: Receive) -> None:
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return

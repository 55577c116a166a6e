"""A process that is told to stop: it finishes what it has begun, and begins nothing more.

Whoever comes meanwhile is told so with 503, on connections that stay open too: a connection that
closes instead leaves its client in doubt whether the request was carried out.
"""

import asyncio
import os
import signal

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from uptake.model.problems import Kinds, Problem

TOLD = signal.SIGUSR1
"""What the first process sends to those that serve; they then end by themselves."""

NOTICE_SECONDS = 0.3
"""How long they stay at least, so that those with an open connection learn of it."""


class Stopping:
    """Whether this process is about to stop, and how many requests it has still to answer.

    Attributes:
        begun: set once it has been told; what takes longer than a request ends then.
    """

    def __init__(self) -> None:
        self._told = False
        self.begun = asyncio.Event()
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Obey from now on; to be called in the event loop that serves."""
        asyncio.get_running_loop().add_signal_handler(TOLD, self._begin)

    def refuse(self) -> None:
        """Let nothing new begin.

        Raises:
            Problem: `OVERLOADED`, once it has been told.
        """
        if self._told:
            raise Problem(Kinds.OVERLOADED, "The server is stopping")

    def watching(self, app: ASGIApp) -> ASGIApp:
        """An application whose requests are counted, and keep no connection open at the end."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return

            async def send_last(message: Message) -> None:
                if self._told and message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
                await send(message)

            self._under_way += 1
            try:
                await app(scope, receive, send_last)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._quiet.set()

        return watched

    def _begin(self) -> None:
        if not self._told:
            self._told = True
            self.begun.set()
            self._ending = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        await asyncio.sleep(NOTICE_SECONDS)
        while self._under_way:
            self._quiet.clear()
            await self._quiet.wait()
        os.kill(os.getpid(), signal.SIGTERM)

"""A process that is told to stop: it finishes what it has begun, and begins nothing more.

Whoever comes meanwhile is told so with 503, on connections that stay open too: a connection that
closes instead leaves its client in doubt whether the request was carried out.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from uptake.model.problems import Kinds, Problem

TOLD = signal.SIGUSR1
"""What the first process sends to those that serve; they then end by themselves."""

LINGER_SECONDS = 5.0
"""How long a process without requests may take to end: a connection whose client reads nothing any
more, of an export that was broken off, would hold it for ever."""

NOTICE_SECONDS = 0.3
"""How long they stay at least, so that those with an open connection learn of it."""


class Stopping:
    """Whether this process is about to stop, and how many requests it has still to answer.

    Args:
        close: what is done last; also where connections cannot be closed in order.

    Attributes:
        begun: set once it has been told; what takes longer than a request ends then.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._told = False
        self.begun = asyncio.Event()
        self._under_way = 0
        self._closing = threading.Lock()
        self._closed = False
        self._quiet = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._at_begin: list[Callable[[], None]] = []

    def listen(self) -> None:
        """Obey from now on; to be called in the event loop that serves."""
        asyncio.get_running_loop().add_signal_handler(TOLD, self._begin)

    def call_at_begin(self, stop: Callable[[], None]) -> None:
        """Have something called, on the event loop, when the server begins to stop."""
        self._at_begin.append(stop)

    def reject(self) -> None:
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
            for stop in self._at_begin:
                stop()
            self._ending = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        await asyncio.sleep(NOTICE_SECONDS)
        while self._under_way:
            self._quiet.clear()
            await self._quiet.wait()
        last = threading.Timer(LINGER_SECONDS, self._leave)
        last.daemon = True
        last.start()
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Do what is done last, once."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._close()

    def _leave(self) -> None:
        self.close()
        os._exit(0)

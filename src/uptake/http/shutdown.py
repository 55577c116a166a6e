"""How a worker process ends: gracefully on a signal, immediately when its parent is gone.

During a graceful stop, new requests get 503, on open connections too. A connection that is closed
instead would leave its client unsure whether the request was processed.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from uptake.model.problems import Kinds, Problem

SHUTDOWN_SIGNAL = signal.SIGUSR1
"""Sent by the parent process to each worker, which then ends by itself."""

LINGER_SECONDS = 5.0
"""Time limit for closing connections after the last request. A client that stopped reading an
export would otherwise keep the process alive."""

NOTICE_SECONDS = 0.3
"""Minimum time between the signal and the end, so that clients with open connections get a 503."""


def exit_with_parent() -> None:
    """Kill this process as soon as its parent process is gone.

    Without this, a worker of a killed server would continue to serve, unmanaged, on the port that
    the next server needs. Killing it loses nothing: acknowledged data is on disk.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class GracefulShutdown:
    """Stops this process after the requests in progress.

    Args:
        close: called once at the end, even if connections cannot be closed in order.

    Attributes:
        begun: set when the shutdown begins; long responses end then.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self.begun = asyncio.Event()
        self._requests = 0
        self._idle = asyncio.Event()
        self._closing = threading.Lock()
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[], None]] = []

    def listen(self) -> None:
        """Handle the signal from now on; call this in the event loop that serves."""
        asyncio.get_running_loop().add_signal_handler(SHUTDOWN_SIGNAL, self._begin)

    def on_begin(self, callback: Callable[[], None]) -> None:
        """Call a function on the event loop when the shutdown begins."""
        self._callbacks.append(callback)

    def check(self) -> None:
        """Reject new work during the shutdown.

        Raises:
            Problem: `OVERLOADED`.
        """
        if self.begun.is_set():
            raise Problem(Kinds.OVERLOADED, "The server is shutting down")

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Count the requests in progress, and close connections during the shutdown."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return

            async def send_and_close(message: Message) -> None:
                if self.begun.is_set() and message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
                await send(message)

            self._requests += 1
            try:
                await app(scope, receive, send_and_close)
            finally:
                self._requests -= 1
                if not self._requests:
                    self._idle.set()

        return counted

    def _begin(self) -> None:
        if not self.begun.is_set():
            self.begun.set()
            for callback in self._callbacks:
                callback()
            self._task = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        await asyncio.sleep(NOTICE_SECONDS)
        while self._requests:
            self._idle.clear()
            await self._idle.wait()
        timer = threading.Timer(LINGER_SECONDS, self._exit)
        timer.daemon = True
        timer.start()
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Call the close function, once."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._close()

    def _exit(self) -> None:
        self.close()
        os._exit(0)

"""An HTTP proxy on this machine that misbehaves at random but reproducibly."""

import asyncio
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from uploader.messages import LARGEST_HEAD, Message, read_answer, read_request
from uploader.misdeeds import Chances, Deed, Plan, plan

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
GONE = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)
"""Raised when a connection ends within a message, or when the bytes are not HTTP."""
START_SECONDS = 10.0
STOP_SECONDS = 10.0


class Proxy:
    """Forwards requests to a server, except those that the seed selects for a fault.

    Attributes:
        url: its address, while it runs.
        counts: how often each deed was done.
        failures: requests that could not be forwarded, because the server did not answer.
        connections: how many clients have connected.
    """

    def __init__(self, target: str, chances: Chances, seed: int) -> None:
        self.url = ""
        self.counts: Counter[Deed] = Counter()
        self.failures = 0
        self.connections = 0
        self._target = urlsplit(target)
        self._chances = chances
        self._seed = seed
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    def behave(self, chances: Chances | None = None) -> None:
        """From the next request on, forward all; or misbehave with other chances."""
        self._chances = chances or Chances()

    async def run(self, started: threading.Event) -> None:
        """Serve until `stop` is called in this loop; then end every connection."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=LARGEST_HEAD)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    def stop(self) -> None:
        """Stop `run`. Call it in the event loop of `run`."""
        self._stop.set()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        server = _Upstream(self._target.hostname or "", self._target.port or 80)
        try:
            with suppress(*GONE):
                while await self._pass_one(reader, writer, server):
                    pass
        except asyncio.CancelledError:
            # The proxy stops: abort both connections, also in the middle of a message.
            server.abort()
            writer.transport.abort()
        finally:
            await server.close()
            await _close(writer)

    async def _pass_one(
        self, reader: StreamReader, writer: StreamWriter, server: "_Upstream"
    ) -> bool:
        """Handle the next request. Returns whether the connection stays open."""
        request = await read_request(reader)
        if request is None:
            return False
        todo = plan(self._chances, self._seed, self._number)
        self._number += 1
        self.counts[todo.deed] += 1
        await asyncio.sleep(todo.seconds)
        own = _own_answer(todo)
        if own is not None:
            writer.write(own)
            await writer.drain()
            return request.lasting
        if todo.deed is Deed.DROP_BEFORE:
            return _end(writer, todo)
        try:
            if todo.deed is Deed.CUT_REQUEST:
                await server.send(request.cut(todo.part))
                await server.close()
                return _end(writer, todo)
            answer = await server.ask(request)
        except GONE:
            self.failures += 1
            return False
        return await _hand_back(answer, writer, todo) and request.lasting


class _Upstream:
    """The connection to the server for one connection of a client."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[StreamReader, StreamWriter] | None = None

    async def send(self, content: bytes) -> StreamReader:
        """Send on the connection, opened again if it has ended. Returns the reader of answers."""
        if self._streams is not None and _ended(self._streams[0]):
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=LARGEST_HEAD)
        reader, writer = self._streams
        writer.write(content)
        await writer.drain()
        return reader

    async def ask(self, request: Message) -> Message:
        """The server's answer to a request."""
        answer = await read_answer(await self.send(request.whole), request.method)
        if not (answer.lasting and request.lasting):
            await self.close()
        return answer

    def abort(self) -> None:
        """Close it at once and discard unsent bytes."""
        if self._streams is not None:
            self._streams[1].transport.abort()

    async def close(self) -> None:
        """Close the connection, if it is open."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            await _close(writer)


def _ended(reader: StreamReader) -> bool:
    return reader.at_eof() or reader.exception() is not None


def _own_answer(todo: Plan) -> bytes | None:
    lines = {
        Deed.TOO_MANY: f"429 Too Many Requests\r\nRetry-After: {todo.retry_after}",
        Deed.BROKEN: "500 Internal Server Error",
        Deed.UNAVAILABLE: "503 Service Unavailable",
    }
    if todo.deed not in lines:
        return None
    head = f"HTTP/1.1 {lines[todo.deed]}\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n"
    return head.encode() + b"proxy.\n"


async def _hand_back(answer: Message, writer: StreamWriter, todo: Plan) -> bool:
    """Send the answer, or a part of it, as planned. Returns whether the connection stays open."""
    if todo.deed is Deed.DROP_AFTER:
        return _end(writer, todo)
    if todo.deed is Deed.CUT_ANSWER:
        writer.write(answer.cut(todo.part))
        await writer.drain()
        return False
    writer.write(answer.whole)
    await writer.drain()
    return answer.lasting


def _end(writer: StreamWriter, todo: Plan) -> bool:
    """Abort the client's connection. Returns false: the connection is not open."""
    if todo.reset:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
    return False


async def _close(writer: StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def proxying(target: str, chances: Chances, seed: int = 0) -> Iterator[Proxy]:
    """Run a proxy in a separate thread until the block ends.

    Args:
        target: the address of the server, `http://host:port`.
        chances: the probability of each fault.
        seed: selects the faults; the same seed selects the same fault for each request.
    """
    proxy, started, loop = Proxy(target, chances, seed), threading.Event(), asyncio.new_event_loop()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(proxy.run(started))

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(START_SECONDS)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(proxy.stop)
        thread.join(STOP_SECONDS)
        assert not thread.is_alive()

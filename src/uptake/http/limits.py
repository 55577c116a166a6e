"""Reads request bodies within limits of size, time and memory; every route reads through here."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from uptake.http.inflate import ENCODINGS, Inflate
from uptake.model.problems import Kinds, Problem

IDLE_SECONDS = 30.0
"""Time limit for the next bytes of a body."""

BODY_SECONDS = 600.0
"""Time limit for a body: 20 MiB in that time are 35 KB/s, a slow mobile connection."""

MIN_RATE = 500.0
"""Minimum average bytes per second after the first `IDLE_SECONDS`: the rate of Apache's
mod_reqtimeout, a tenth of a slow mobile connection."""

MEMORY = 256 * 1024 * 1024
"""Bytes of all bodies in memory, in each process; a body that exceeds them is answered with 503."""

KEY_SHARE = 1 / 2
"""Part of the memory for the bodies of one API key."""

PEER_SHARE = 3 / 4
"""Part of the memory for the bodies of one peer. It is the larger share, because behind a reverse
proxy all clients have the same peer."""

DISCARD = 32 * 1024 * 1024
"""Maximum bytes of a body that are discarded after an early response."""

DISCARD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of a sender.

    Attributes:
        idle: seconds for the next bytes, and until the rate is checked.
        total: seconds for a body.
        rate: minimum average bytes per second.
    """

    idle: float = IDLE_SECONDS
    total: float = BODY_SECONDS
    rate: float = MIN_RATE

    def deadline(self, start: float, now: float, received: int) -> float:
        """Time by which the next bytes must arrive; all times are those of the event loop."""
        return min(now + self.idle, start + self.idle + received / self.rate, start + self.total)


PATIENCE = Patience()


class ClientGone(Exception):
    """The client disconnected."""


class Body(NamedTuple):
    """A request body.

    Attributes:
        content: decompressed bytes; the original bytes if they cannot be decompressed.
        fault: why they cannot be decompressed, or "".
    """

    content: bytes
    fault: str = ""


class Bodies:
    """Counts the bytes of all bodies in memory, in total and for each key and peer.

    Attributes:
        free: bytes that are left.
        held: bytes of each key and peer.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self.free = memory
        self.held: dict[str, int] = {}
        self._key_share = int(memory * KEY_SHARE)
        self._peer_share = int(memory * PEER_SHARE)

    def room(self, key_id: str, peer: str) -> "Room":
        """A context for reading and processing one body; its bytes are released at the end."""
        return Room(self, (("key " + key_id, self._key_share), ("peer " + peer, self._peer_share)))


class Room:
    """The memory of one body, of which `size` bytes have arrived."""

    __slots__ = ("_bodies", "_shares", "size")

    def __init__(self, bodies: Bodies, shares: tuple[tuple[str, int], ...]) -> None:
        self._bodies = bodies
        self._shares = shares
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if not self.size:
            return
        self._bodies.free += self.size
        held = self._bodies.held
        for holder, _ in self._shares:
            left = held[holder] - self.size
            if left:
                held[holder] = left
            else:
                # Otherwise there would be an entry for every peer that ever sent a body.
                del held[holder]

    def take(self, size: int) -> None:
        """Count bytes that have arrived.

        Raises:
            Problem: `OVERLOADED`, when the bodies in memory leave no room for them.
        """
        held = self._bodies.held
        if size > self._bodies.free:
            raise Problem(Kinds.OVERLOADED)
        for holder, share in self._shares:
            if held.get(holder, 0) + size > share:
                raise Problem(
                    Kinds.OVERLOADED,
                    "The requests in progress of this sender exceed its share of memory",
                )
        self._bodies.free -= size
        self.size += size
        for holder, _ in self._shares:
            held[holder] = held.get(holder, 0) + size


def check_headers(headers: Mapping[str, str], limit: int) -> None:
    """Reject a body that is too large or has an unknown encoding, by its headers.

    Raises:
        Problem: `TOO_LARGE`, `UNSUPPORTED_ENCODING`.
    """
    encoding = _encoding(headers)
    if encoding and encoding not in ENCODINGS:
        message = f"Unsupported Content-Encoding {encoding[:40]!r}: use gzip, deflate or none"
        raise Problem(Kinds.UNSUPPORTED_ENCODING, message)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_large(limit)


def _encoding(headers: Mapping[str, str]) -> str:
    encoding = headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def too_large(limit: int) -> Problem:
    """The problem of a body over its limit."""
    return Problem(Kinds.TOO_LARGE, f"The body exceeds {limit} bytes")


async def read_body(
    receive: Receive,
    headers: Mapping[str, str],
    limit: int,
    patience: Patience = PATIENCE,
    room: Room | None = None,
) -> Body:
    """Read and decompress a body.

    Args:
        receive: returns the request's ASGI messages.
        headers: names in lower case.
        limit: maximum bytes of the body, before and after it is decompressed.
        patience: time limits of the sender.
        room: counts the bytes in memory.

    Raises:
        Problem: `TOO_LARGE`, `TIMEOUT`, `OVERLOADED`.
        ClientGone: the client disconnected.
    """
    chunks: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    start = loop.time()
    encoding = _encoding(headers)
    inflate = Inflate(encoding, limit) if encoding else None
    try:
        async with asyncio.timeout_at(patience.deadline(start, start, 0)) as deadline:
            more = True
            while more:
                message: Any = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(chunk)
                if more:
                    deadline.reschedule(patience.deadline(start, loop.time(), size))
                if size > limit:
                    raise too_large(limit)
                inflated = 0 if inflate is None else inflate.feed(chunk)
                if inflated > limit:
                    raise too_large(limit)
                if room is not None:
                    room.take(len(chunk) + inflated)
                chunks.append(chunk)
    except TimeoutError:
        raise Problem(Kinds.TIMEOUT) from None
    fault = ""
    if inflate is not None:
        fault = inflate.fault
        chunks = chunks if fault else inflate.parts
    return Body(chunks[0] if len(chunks) == 1 else b"".join(chunks), fault)


async def disconnected(receive: Receive) -> None:
    """Return when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Drain:
    """Middleware that ends a body with its last byte, and reads the rest after an early response.

    A client that is still sending when the connection is closed sees a broken connection instead of
    the response.

    Args:
        app: the application.
        limit: maximum bytes that are discarded.
        seconds: time limit.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int = DISCARD, seconds: float = DISCARD_SECONDS
    ) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; pass on other events."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        incoming = _Incoming(receive, _body_length(scope))
        await self._app(scope, incoming, send)
        if not incoming.left:
            return
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                while incoming.left and size < self._limit:
                    size += len((await incoming()).get("body", b""))
        except TimeoutError:
            return


class _Incoming:
    """Receives the messages of a request.

    Granian sends the end of a body in a message of its own, which costs as much as the body: the
    event loop and the thread of the connection wait for each other once more. It is read only
    before later messages.

    Args:
        receive: of the HTTP server.
        length: of the body; infinite if it is not known, 0 if there is none.

    Attributes:
        left: bytes of the body that are not received.
    """

    __slots__ = ("_end", "_has_end", "_is_empty", "_receive", "left")

    def __init__(self, receive: Receive, length: float) -> None:
        self._receive = receive
        self._is_empty = not length
        self._end: asyncio.Future[Any] | None = None
        self._has_end = False
        self.left = length

    async def __call__(self) -> Any:
        """The next message."""
        if self._is_empty:
            self._is_empty = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if not self.left and not self._has_end:
            # A caller that waits for the client to disconnect is cancelled when its work is done.
            # If that cancelled the reading of the end, Granian would report at the next call that
            # the client has disconnected.
            self._end = self._end or asyncio.ensure_future(self._receive())
            end = await asyncio.shield(self._end)
            self._has_end = True
            if end["type"] != "http.request":
                return end
        message: Any = await self._receive()
        if self.left:
            self.left -= len(message.get("body", b""))
            self._has_end = not _has_more(message)
            if self._has_end:
                self.left = 0.0
            elif not self.left:
                message["more_body"] = False
        return message


def _has_more(message: Any) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body", False))


def _body_length(scope: HTTPScope) -> float:
    """The length of a request's body: infinite if it is not known, 0 if there is none."""
    length = 0.0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return math.inf
        if name == b"content-length":
            length = float(value) if value.isdigit() else math.inf
    return length

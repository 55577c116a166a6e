"""Reads request bodies within bounds of size, time and memory; every route reads through here."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from litestar.types import Receive

from uptake.http.inflate import ENCODINGS, Inflate
from uptake.model.problems import Kinds, Problem

IDLE_SECONDS = 30.0
"""How long the next bytes of a body may take to arrive."""

BODY_SECONDS = 600.0
"""How long a whole body may take: 20 MiB in that time are 35 KB/s, a slow mobile line."""

MIN_RATE = 500.0
"""Bytes per second that a sender must reach on average, after its first `IDLE_SECONDS`: the rate
that Apache's mod_reqtimeout asks for, a tenth of a slow mobile line."""

MEMORY = 256 * 1024 * 1024
"""Bytes of bodies that one process holds at once; a body that exceeds them is answered 503."""

KEY_SHARE = 1 / 2
"""Part of the memory that the bodies of one API key may take."""

PEER_SHARE = 3 / 4
"""Part of the memory that the bodies of one peer may take. It is the larger share, as a reverse
proxy is the peer of everybody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sender may take.

    Attributes:
        idle: seconds for the next bytes, and for a body before its rate counts.
        total: seconds for a whole body.
        rate: bytes per second, on average.
    """

    idle: float = IDLE_SECONDS
    total: float = BODY_SECONDS
    rate: float = MIN_RATE

    def deadline(self, start: float, now: float, received: int) -> float:
        """When the next bytes must have arrived; all times are of the event loop's clock."""
        return min(now + self.idle, start + self.idle + received / self.rate, start + self.total)


PATIENCE = Patience()


class ClientGone(Exception):
    """The client disconnected before its body was complete."""


class Body(NamedTuple):
    """A body as it was read.

    Attributes:
        content: its bytes, decompressed; as they were sent if they could not be.
        fault: why they could not be decompressed; empty if they were.
    """

    content: bytes
    fault: str = ""


class Bodies:
    """Counts the bytes of all bodies that are in memory, in total and for each key and peer."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._free = memory
        self._key_share = int(memory * KEY_SHARE)
        self._peer_share = int(memory * PEER_SHARE)
        self._held: dict[str, int] = {}

    def room(self, key_id: str, peer: str) -> "Room":
        """Count a body while the block runs, in which it is read and processed."""
        return Room(self, (("key " + key_id, self._key_share), ("peer " + peer, self._peer_share)))

    def take(self, room: "Room", size: int) -> None:
        """Count bytes that have arrived.

        Raises:
            Problem: `OVERLOADED`, when the bodies in memory leave no room for them.
        """
        held = self._held
        if size > self._free:
            raise Problem(Kinds.OVERLOADED)
        for holder, share in room.shares:
            if held.get(holder, 0) + size > share:
                raise Problem(Kinds.OVERLOADED, "Too many bytes of this sender are in process")
        self._free -= size
        room.size += size
        for holder, _ in room.shares:
            held[holder] = held.get(holder, 0) + size

    def release(self, room: "Room") -> None:
        """Give back what a body took."""
        if not room.size:
            return
        self._free += room.size
        for holder, _ in room.shares:
            left = self._held[holder] - room.size
            if left:
                self._held[holder] = left
            else:
                # Else there would be an entry for every peer that ever sent something.
                del self._held[holder]


class Room:
    """The memory that one body takes."""

    __slots__ = ("_bodies", "shares", "size")

    def __init__(self, bodies: Bodies, shares: tuple[tuple[str, int], ...]) -> None:
        self._bodies = bodies
        self.shares = shares
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._bodies.release(self)

    def take(self, size: int) -> None:
        """Count bytes that have arrived.

        Raises:
            Problem: `OVERLOADED`.
        """
        self._bodies.take(self, size)


def check_headers(headers: Mapping[str, str], limit: int) -> None:
    """Reject a body that its headers show to be too large, or encoded in an unknown way.

    Raises:
        Problem: `TOO_LARGE`, `UNSUPPORTED_ENCODING`.
    """
    encoding = _encoding(headers)
    if encoding and encoding not in ENCODINGS:
        message = f"Content-Encoding {encoding[:40]!r} is not supported: send gzip, deflate or none"
        raise Problem(Kinds.UNSUPPORTED_ENCODING, message)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_large(limit)


def _encoding(headers: Mapping[str, str]) -> str:
    encoding = headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def too_large(limit: int) -> Problem:
    """The problem of a body over its limit."""
    return Problem(Kinds.TOO_LARGE, f"The body is over {limit} bytes")


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
        limit: the most bytes that the body may have, before and after it is decompressed.
        patience: how long its sender may take.
        room: counts what is in memory.

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

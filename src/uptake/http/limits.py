"""Reading a body without being held up, filled up or blown up by it."""

import asyncio
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from litestar.types import Receive

from uptake.model.problems import Kinds, Problem

IDLE_SECONDS = 30.0
"""How long the next bytes of a body may take to arrive."""

BODY_SECONDS = 600.0
"""How long a whole body may take: 20 MiB in that time are 35 KB/s, a slow mobile line."""

MEMORY = 256 * 1024 * 1024
"""Bytes of bodies that one process holds at once; beyond them a request is turned away (503)."""

MAX_MEMBERS = 1024
"""Members of a gzip body. Programs that compress in blocks make one for each 64 KiB; millions of
tiny ones would only burn time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sender may take: `idle` seconds for the next bytes, `total` for a whole body."""

    idle: float = IDLE_SECONDS
    total: float = BODY_SECONDS


PATIENCE = Patience()

NOT_GZIP = b"\0"
"""Put before a body that only says it is gzip: no format takes a body that begins with it."""


class ClientGone(Exception):
    """The client went away before its body was complete."""


class Bodies:
    """Reads bodies, and knows how much of them is in memory."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._free = memory

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Hold room for a body while it is worked on.

        Raises:
            Problem: `OVERLOADED`, when there is none.
        """
        if size > self._free:
            raise Problem(Kinds.OVERLOADED)
        self._free -= size
        try:
            yield
        finally:
            self._free += size


def expected_size(headers: Mapping[str, str], limit: int) -> int:
    """Bytes that a body will take at most, from what its headers say.

    Raises:
        Problem: `TOO_LARGE`, `UNSUPPORTED_ENCODING`.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        message = f"Content-Encoding {encoding[:40]!r}: send gzip or none"
        raise Problem(Kinds.UNSUPPORTED_ENCODING, message)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return limit
    size = int(length)
    if size > limit:
        raise too_large(limit)
    return limit if "gzip" in encoding else size


def too_large(limit: int) -> Problem:
    """The problem of a body over its limit."""
    return Problem(Kinds.TOO_LARGE, f"The body is over {limit} bytes")


async def read_body(
    receive: Receive, headers: Mapping[str, str], limit: int, patience: Patience = PATIENCE
) -> bytes:
    """A body, decompressed; malformed gzip as it is after `NOT_GZIP`, for its format to refuse.

    Args:
        receive: gives the request's messages.
        headers: names in lower case.
        limit: bytes that the body may have, decompressed too.
        patience: how long its sender may take.

    Raises:
        Problem: `TOO_LARGE`, `TIMEOUT`.
        ClientGone: there is nobody left to answer.
    """
    chunks: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    latest = loop.time() + patience.total
    inflate = _Inflate(limit) if "gzip" in headers.get("content-encoding", "").lower() else None
    try:
        async with asyncio.timeout(min(patience.idle, patience.total)) as deadline:
            more = True
            while more:
                message: Any = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                more = message.get("more_body", False)
                if more:
                    deadline.reschedule(min(loop.time() + patience.idle, latest))
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                chunks.append(chunk)
                if inflate is not None:
                    inflate.feed(chunk)
    except TimeoutError:
        raise Problem(Kinds.TIMEOUT) from None
    if inflate is not None:
        chunks = inflate.parts if inflate.complete else [NOT_GZIP, *chunks]
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class _Inflate:
    """Decompresses gzip (RFC 1952), never to more than a limit."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self._limit = limit
        self._out = 0
        self._broken = False
        self._members = 1
        self._member = zlib.decompressobj(wbits=31)

    @property
    def complete(self) -> bool:
        return self._member.eof and not self._broken

    def feed(self, data: bytes) -> None:
        while data and not self._broken:
            if self._member.eof:
                self._members += 1
                if self._members > MAX_MEMBERS:
                    self._broken = True
                    break
                self._member = zlib.decompressobj(wbits=31)
            try:
                part = self._member.decompress(data, self._limit + 1 - self._out)
            except zlib.error:
                self._broken = True
                break
            self._out += len(part)
            if self._out > self._limit:
                raise too_large(self._limit)
            self.parts.append(part)
            data = self._member.unused_data

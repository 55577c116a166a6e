"""A server that does not mean well: it reads a request and then sends whatever bytes it likes."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from uploader.accepting import accepting

Misbehave = Callable[[socket.socket, bytes], object]
"""Answers a request on a connection; it gets the request's path."""

CHUNK = b"x" * 65536


@dataclass
class Hostile:
    """A running one.

    Attributes:
        url: its address.
        sent: bytes that it could send before its client had enough, of endless answers.
        requests: the paths of those that it has read.
    """

    url: str
    sent: int = 0
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def hostile(misbehave: Misbehave) -> Iterator[Hostile]:
    """Run one; each connection serves as many requests as it may."""
    server = Hostile("")

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while path := read_request(file)[0]:
                server.requests.append(path)
                parts = misbehave(connection, path)
                if isinstance(parts, Iterator):
                    for part in parts:
                        connection.sendall(part)
                        server.sent += len(part)
                    return

    with accepting(serve) as server.url:
        yield server


def read_request(file: BinaryIO) -> tuple[bytes, bytes]:
    """Read a request to its end.

    Returns:
        Its path and its body; both are empty if the client has closed the connection.
    """
    first, length = file.readline().split(), 0
    while (line := file.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = file.read(length)
    return (first[1], body) if len(first) > 1 and len(body) == length else (b"", b"")


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Odd", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def always(content: bytes) -> Misbehave:
    """The same to everything."""
    return lambda connection, _: connection.sendall(content)


def cut_off(content: bytes) -> Misbehave:
    """The same to everything, and the end of the connection."""

    def misbehave(connection: socket.socket, _path: bytes) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_RDWR)

    return misbehave


def endless(head: bytes, part: bytes = CHUNK) -> Misbehave:
    """A beginning, and then something again and again until the client has enough."""

    def misbehave(_connection: socket.socket, _path: bytes) -> Iterator[bytes]:
        yield head
        while True:
            yield part

    return misbehave


def dripping(head: bytes, seconds: float = 0.1) -> Misbehave:
    """A byte now and then, until the client closes the connection."""

    def misbehave(connection: socket.socket, _path: bytes) -> Iterator[bytes]:
        yield head
        while not select.select([connection], [], [], seconds)[0]:
            yield b"x"

    return misbehave

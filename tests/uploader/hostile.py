"""A server that does not mean well: it reads a request and then sends whatever bytes it likes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

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
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = Hostile(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError), connection.makefile("rb") as file:
                connection.settimeout(20)
                while first := file.readline():
                    length = 0
                    while (line := file.readline().strip().lower()) != b"":
                        if line.startswith(b"content-length:"):
                            length = int(line.partition(b":")[2])
                    file.read(length)
                    path = first.split()[1]
                    server.requests.append(path)
                    found = misbehave(connection, path)
                    if isinstance(found, Iterator):
                        for part in found:
                            connection.sendall(part)
                            server.sent += len(part)
                        return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server


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
    """A byte now and then, without an end."""

    def misbehave(_connection: socket.socket, _path: bytes) -> Iterator[bytes]:
        yield head
        while True:
            threading.Event().wait(seconds)
            yield b"x"

    return misbehave

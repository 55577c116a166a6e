"""HTTP by hand: what no proper client would send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TIMEOUT = 60.0
ENOUGH = 65536


@dataclass(frozen=True)
class Answer:
    """Status, headers by name in lower case, and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def connected(url: str, timeout: float = TIMEOUT) -> Iterator[socket.socket]:
    """A connection to a server."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        yield connection


def request(method: bytes, path: bytes, headers: dict[bytes, bytes], body: bytes = b"") -> bytes:
    """A request that asks for the connection to be closed after the answer."""
    lines = {b"Host": b"localhost", b"Connection": b"close"} | headers
    head = b"".join(name + b": " + value + b"\r\n" for name, value in lines.items())
    return method + b" " + path + b" HTTP/1.1\r\n" + head + b"\r\n" + body


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    while True:
        try:
            part = connection.recv(ENOUGH)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


def exchange(url: str, sent: bytes) -> Answer:
    """Send these bytes on a connection of their own; what was answered."""
    with connected(url) as connection:
        connection.sendall(sent)
        return parse(read_all(connection))


def parse(received: bytes) -> Answer:
    """An answer from its bytes; the last one, where interim ones came before.

    Raises:
        AssertionError: it is none.
    """
    assert received.startswith(b"HTTP/1.1 "), received[:200]
    head, _, body = received.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        return parse(body)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split(" ")[1]), headers, body)

"""Complete HTTP/1.1 messages, read from a stream and stored unchanged."""

import asyncio
from asyncio import StreamReader
from dataclasses import dataclass

END_OF_HEAD = b"\r\n\r\n"
LARGEST_HEAD = 65536
WITHOUT_BODY = (204, 304)


@dataclass(frozen=True)
class Message:
    """A request or an answer, byte for byte.

    Attributes:
        head: its first line and headers, with the empty line.
        body: the rest of the message, with its chunked encoding if it has one.
        lasting: whether the connection can be used for another message.
    """

    head: bytes
    body: bytes
    lasting: bool

    @property
    def whole(self) -> bytes:
        """All of it."""
        return self.head + self.body

    @property
    def method(self) -> bytes:
        """The method of a request."""
        return self.head.split(b" ", 1)[0]

    def cut(self, part: float) -> bytes:
        """The first bytes of the message: at least one, not all. A body is cut if there is one."""
        first = len(self.head) if self.body else 1
        return self.whole[: first + int(part * (len(self.whole) - first - 1))]


async def read_request(reader: StreamReader) -> Message | None:
    """The next request, or nothing when the client has closed."""
    head = await _head(reader)
    if head is None:
        return None
    headers = _headers(head)
    return Message(head, await _body(reader, headers), _lasting(head, headers))


async def read_answer(reader: StreamReader, method: bytes) -> Message:
    """The answer to a request of this method; 1xx answers are skipped.

    Raises:
        asyncio.IncompleteReadError: the server closes before its end.
    """
    while True:
        head = await _head(reader)
        if head is None:
            raise asyncio.IncompleteReadError(b"", None)
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    headers = _headers(head)
    if method == b"HEAD" or status in WITHOUT_BODY:
        return Message(head, b"", _lasting(head, headers))
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return Message(head, await reader.read(), lasting=False)
    return Message(head, await _body(reader, headers), _lasting(head, headers))


async def _head(reader: StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(END_OF_HEAD)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = head.split(b"\r\n")[1:]
    return {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in lines)
    }


def _lasting(head: bytes, headers: dict[bytes, bytes]) -> bool:
    return b"HTTP/1.1" in head.split(b"\r\n", 1)[0] and headers.get(b"connection") != b"close"


async def _body(reader: StreamReader, headers: dict[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding") != b"chunked":
        return await reader.readexactly(int(headers.get(b"content-length", b"0")))
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        body += line + await reader.readexactly(size + 2)
    while line != b"\r\n":  # trailers, and the empty line that ends them
        body += line
        line = await reader.readuntil(b"\r\n")
    return body + line

"""Answers of servers that may be hostile: read within limits of bytes and time."""

import http.client
import io
import socket
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any

import msgspec

from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_SECOND

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of a body: a page of a thousand samples with the longest names has a few million."""

TOO_LARGE = f"the answer has more than {MAX_ANSWER >> 20} MiB"

MAX_OVERHEAD = 1024 * 1024
"""Other bytes of an answer: headers, interim answers, sizes of chunks."""

MAX_INTERIM = 20
"""Interim answers (1xx) before the answer itself."""

SHOWN_CHARACTERS = 200
"""Characters of an answer that are shown."""

LONGEST_WAIT = 999_999_999.0
"""Seconds, over thirty years: the maximum of `Retry-After`."""


class Broken(Exception):
    """There is no complete answer that can be read; the outcome of the request is unknown."""


class Answer(msgspec.Struct, frozen=True):
    """An answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Bounded(io.RawIOBase):
    """Reads from a socket until a deadline, and at most `MAX_ANSWER + MAX_OVERHEAD` bytes.

    The timeout of a socket is for each read: with it alone, a server that sends a byte every minute
    would never be given up.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # The file holds the socket open until all is read, also after its connection was closed.
        self._file = sock.makefile("rb", buffering=0)
        self._deadline = monotonic() + (sock.gettimeout() or 0.0)
        self._left = MAX_ANSWER + MAX_OVERHEAD

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what has arrived.

        Raises:
            TimeoutError: the deadline has passed.
            Broken: the answer is too large.
        """
        seconds = self._deadline - monotonic()
        if seconds <= 0:
            raise TimeoutError("the answer takes too long")
        if self._left <= 0:
            raise Broken(TOO_LARGE)
        self._sock.settimeout(seconds)
        count = self._file.readinto(buffer) or 0
        self._left -= count
        return count

    def close(self) -> None:
        """Release the socket."""
        self._file.close()
        super().close()


class Response(http.client.HTTPResponse):
    """A response within limits: the timeout of its socket is the time limit of all of it."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(Bounded(sock))

    def _read_status(self) -> tuple[str, int, str]:
        """The status of the answer itself, after interim ones."""
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"over {MAX_INTERIM} interim answers")

    def whole(self) -> Answer:
        """The whole answer.

        Raises:
            OSError, http.client.HTTPException: it breaks off.
            Broken: it is too large.
        """
        body = self.read(MAX_ANSWER + 1)
        if len(body) > MAX_ANSWER:
            raise Broken(TOO_LARGE)
        if self.length:
            raise http.client.IncompleteRead(body, self.length)
        headers = {name.lower(): value for name, value in self.getheaders()}
        return Answer(self.status, headers, body)


def reason_of(error: Exception) -> str:
    """Why there is no answer; repeats neither the request nor what arrived."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, OSError):
        return (error.strerror or str(error))[:SHOWN_CHARACTERS] or type(error).__name__
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut off"
    return f"the answer is not HTTP ({type(error).__name__})"


def retry_after(answer: Answer) -> float:
    """The seconds of `Retry-After` (RFC 9110, 10.2.3), 0 if there are none."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        seconds = float(value[:18])
    else:
        try:
            seconds = (
                parsedate_to_datetime(value).timestamp() - clock.now() / MICROSECONDS_PER_SECOND
            )
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


class _Fault(msgspec.Struct):
    """The members in which receivers describe an error."""

    detail: str = ""
    msg: str = ""
    message: str = ""


class _Enclosed(msgspec.Struct):
    error: _Fault


class _Error(_Fault):
    """An error; QuestionPro encloses it in two objects."""

    response: _Enclosed | None = None

    @property
    def reason(self) -> str:
        fault = self.response.error if self.response else self
        return fault.detail or fault.msg or fault.message


def first_line(body: bytes) -> str:
    """The beginning of an answer, in one line; the reason alone of an error in JSON."""
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):  # a proxy answers with HTML
        body = msgspec.json.decode(body, type=_Error).reason.encode() or body
    text = " ".join(body[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").split())
    return text[:SHOWN_CHARACTERS] if text else "no text"

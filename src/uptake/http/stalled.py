"""Ends connections whose clients do not read their answers.

An answer waits in the server's memory until its client has read it, and nothing in HTTP or TCP
limits for how long: a client that asks for many large answers and reads none would hold them for
ever. The kernel knows how much of an answer was acknowledged, whatever serves HTTP above it.
"""

import fcntl
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

STALL_SECONDS = 30.0
"""How long an answer may wait for its client."""

MIN_RATE = 500.0
"""Bytes per second that a client must read on average in that time; the rate of bodies."""

CHECKS = 6
"""Checks in `STALL_SECONDS`."""

_FILES = Path("/proc/self/fd")
_ACKED = 120
"""Where `tcpi_bytes_acked`, 64 bits, is in Linux's `struct tcp_info`."""


class _Progress(NamedTuple):
    """How many bytes a client had acknowledged at a moment."""

    since: float
    acked: int


class StalledConnections:
    """Checks all connections to a port, from a thread, now and then.

    Args:
        port: where this process serves.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._seconds = STALL_SECONDS
        self._waiting: dict[str, _Progress] = {}

    def start(self) -> None:
        """Begin; where the system is not Linux, nothing is done."""
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="stalled", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds / CHECKS)
            self._check()

    def _check(self) -> None:
        """Compare all connections with what was seen of them before."""
        waiting = {}
        for file in _FILES.iterdir():
            with suppress(OSError), _borrowed(file) as connection:
                acked = self._acked(connection)
                if acked is None:
                    continue
                identity = str(file.readlink())
                before = self._waiting.get(identity)
                progress = _Progress(time.monotonic(), acked)
                if before is None or before.acked + self._seconds * MIN_RATE <= acked:
                    waiting[identity] = progress
                elif progress.since - before.since < self._seconds:
                    waiting[identity] = before
                else:
                    _end(connection)
        self._waiting = waiting

    def _acked(self, connection: socket.socket) -> int | None:
        """How many bytes the client has acknowledged; None if there is nothing more to send."""
        name = connection.getsockname()
        if not isinstance(name, tuple) or name[1] != self._port:
            return None
        if not struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]:
            return None
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED + 8)
        return int(struct.unpack_from("=Q", info, _ACKED)[0])


@contextmanager
def _borrowed(file: Path) -> Iterator[socket.socket]:
    """The socket behind a file of this process; it stays open.

    It is not duplicated: to close a duplicate of a database file would release SQLite's locks.

    Raises:
        OSError: it is no socket, or closed meanwhile.
    """
    if not str(file.readlink()).startswith("socket:"):
        raise OSError("no socket")
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=int(file.name))
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _end(connection: socket.socket) -> None:
    """Have a connection closed by its owner, who notices, and its unsent bytes thrown away then."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)

"""Closes connections of clients that do not read their responses.

A response stays in memory until the client has read it, and neither HTTP nor TCP limits the time. A
client could request many large responses, read none, and use up the memory. The kernel knows how
many bytes of a connection were acknowledged, independently of the HTTP server.
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
"""Time in which a client must make progress."""

MIN_RATE = 500.0
"""Minimum average bytes per second in that time: the same rate as for bodies."""

CHECKS = 6
"""Checks in `STALL_SECONDS`."""

_FILES = Path("/proc/self/fd")
_ACKED = 120
"""Offset of `tcpi_bytes_acked` (64 bits) in Linux's `struct tcp_info`."""


class _Progress(NamedTuple):
    """Bytes that a client had acknowledged at a time."""

    since: float
    acked: int


class StalledConnections:
    """Checks all connections to a port periodically, in a thread.

    Args:
        port: the port on which this process serves.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._seconds = STALL_SECONDS
        self._waiting: dict[str, _Progress] = {}

    def start(self) -> None:
        """Start the thread, on Linux only."""
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="stalled", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds / CHECKS)
            self._check()

    def _check(self) -> None:
        """Compare all connections with their earlier progress."""
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
        """Bytes that the client has acknowledged; None if all sent bytes are acknowledged."""
        name = connection.getsockname()
        if not isinstance(name, tuple) or name[1] != self._port:
            return None
        if not struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]:
            return None
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED + 8)
        return int(struct.unpack_from("=Q", info, _ACKED)[0])


@contextmanager
def _borrowed(file: Path) -> Iterator[socket.socket]:
    """The socket of a file descriptor, which stays open.

    It is not duplicated: closing a duplicate of a database file would release SQLite's locks.

    Raises:
        OSError: it is not a socket, or it has been closed.
    """
    if not str(file.readlink()).startswith("socket:"):
        raise OSError("not a socket")
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=int(file.name))
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _end(connection: socket.socket) -> None:
    """Shut a connection down: the server notices and closes it, which discards unsent bytes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)

"""A server for a test: it gives each connection to a function, and ends with its test."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SECONDS = 20
"""Time limit of a read or a write of the server, and of its end."""


@contextmanager
def accepting(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """Listen on a free port, and call `serve` with each connection in its own thread.

    When the block ends, the port is closed and the connections are shut down, and all threads have
    ended: no later test can reach the server.

    Yields:
        The URL of the server.
    """
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def run(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(SECONDS)
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=run, args=[connection]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            # Closing the socket alone does not wake a thread that waits in accept().
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(SECONDS)
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(SECONDS)
            left = sum(thread.is_alive() for thread in [acceptor, *threads])
            assert not left, f"{left} threads of the server did not end"

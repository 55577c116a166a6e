"""Several servers on one PostgreSQL, and a client that goes to each in turn."""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

from uptake.testing.live import LiveServer, serving

PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.02


@contextmanager
def two_nodes(
    folder: Path, database: str, blobs: str = "", **environment: str
) -> Iterator[list[LiveServer]]:
    """Two servers, the second of two processes, that share a database and a place for images."""
    blobs = blobs or (folder / "blobs").as_uri()
    with ExitStack() as running:
        yield [
            running.enter_context(
                serving(
                    folder / f"node-{workers}",
                    *("--blobs", blobs, "--workers", workers),
                    database=database,
                    **environment,
                )
            )
            for workers in ("1", "2")
        ]


class TakingTurns(httpx2.HTTPTransport):
    """Sends each request to the next of several servers, all by one name, as a proxy does."""

    def __init__(self, servers: Sequence[LiveServer]) -> None:
        super().__init__()
        self._servers = itertools.cycle(servers)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.BaseTransport`."""
        # The header Host stays as it was; a server that was started again has another port.
        port = httpx2.URL(next(self._servers).url).port
        request.url = request.url.copy_with(port=port)
        return super().handle_request(request)


class Undaunted(TakingTurns):
    """Sends to the next server when one does not answer, or answers 503."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.BaseTransport`."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = super().handle_request(request)
            except httpx2.TransportError:
                if time.monotonic() > until:
                    raise
            else:
                if answer.status_code != 503 or time.monotonic() > until:
                    return answer
                answer.close()
            time.sleep(PAUSE_SECONDS)


def client_of(servers: Sequence[LiveServer]) -> httpx2.Client:
    """A client that takes the servers in turns, request by request; it carries no key."""
    return httpx2.Client(base_url=servers[0].url, transport=TakingTurns(servers), timeout=30)

"""The server's numbers, for Prometheus: on the main port, or on an address of their own."""

import os
import socket
import socketserver
import threading
from http.server import HTTPServer

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    MetricsHandler,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from uptake.http.access import PUBLIC

PATH = "/metrics"

SCRAPE_SECONDS = 5.0
"""How long a scraper may take to send its request, and then to read each part of the answer:
scrapers are served one after the other."""


def registry() -> CollectorRegistry:
    """The numbers of all processes."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def metrics_route() -> HTTPRouteHandler:
    """The route on the main port."""

    @get(PATH, include_in_schema=False, permission=PUBLIC)
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry()), media_type=CONTENT_TYPE_LATEST)

    return metrics


class _Handler(MetricsHandler):
    timeout = SCRAPE_SECONDS

    def do_GET(self) -> None:  # noqa: N802 - the name that the base class calls
        """Answer at one path only, as the main port does."""
        # Not `self.path`, in which slashes at the beginning are made one.
        if self.requestline.split()[1].partition("?")[0] == PATH:
            super().do_GET()
        else:
            self.send_error(404)


class MetricsServer(HTTPServer):
    """Serves the numbers from a thread.

    Every process that serves has one on the same port, and any of them has the numbers of all: so
    there is an answer as long as one of them lives.

    Args:
        host: where to listen.
        port: the same.
    """

    allow_reuse_port = True

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family, address = found[0], found[4]
        super().__init__(address[:2], _Handler.factory(registry()))  # type: ignore[arg-type]
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def server_bind(self) -> None:
        """Bind; without the look-up of the host's name that `HTTPServer` does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing is said of a scraper that disconnects."""

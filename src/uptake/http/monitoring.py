"""What monitoring systems read: `/health/live`, `/health/ready` and `/metrics`."""

import os
import socket
import socketserver
import threading
from http.server import HTTPServer

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    MetricsHandler,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from uptake.http.access import PUBLIC
from uptake.http.executors import BoundedExecutor
from uptake.http.problems import documented
from uptake.http.shutdown import GracefulShutdown
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable
from uptake.wiring import Services

METRICS_PATH = "/metrics"

SCRAPE_SECONDS = 5.0
"""Time limit for a scraper to send its request, and to read each part of the response: scrapers are
served one after the other."""


class Health(Struct, frozen=True):
    """`ok`; a server that is not healthy answers 503."""

    status: str = "ok"


def health_routes(
    prefix: str, services: Services, shutdown: GracefulShutdown, executor: BoundedExecutor
) -> list[HTTPRouteHandler]:
    """The health checks, at the root and below a prefix."""

    @get(
        ["/health/live", f"{prefix}/health/live"],
        responses=documented(Kinds.BAD_REQUEST),
        summary="Check that the process runs",
        tags=["Health"],
        permission=PUBLIC,
    )
    async def get_liveness() -> Health:
        """Does not use storage: restarting the process would not repair the storage."""
        return Health()

    @get(
        ["/health/ready", f"{prefix}/health/ready"],
        responses=documented(Kinds.BAD_REQUEST, Kinds.UNAVAILABLE),
        summary="Check that requests can be served",
        tags=["Health"],
        permission=PUBLIC,
    )
    async def get_readiness() -> Health:
        """Reads from the database. 503 if that fails, or during a shutdown."""
        shutdown.check()
        try:
            await executor.run(services.store.ping)
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        return Health()

    return [get_liveness, get_readiness]


def registry() -> CollectorRegistry:
    """The metrics of all processes."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def metrics_route() -> HTTPRouteHandler:
    """The metrics on the main port."""

    @get(
        METRICS_PATH,
        media_type=CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8"),
        responses=documented(Kinds.BAD_REQUEST),
        summary="Get the metrics",
        tags=["Health"],
        permission=PUBLIC,
    )
    async def get_metrics() -> str:
        """For Prometheus."""
        return generate_latest(registry()).decode()

    return get_metrics


class _Handler(MetricsHandler):
    timeout = SCRAPE_SECONDS

    def do_GET(self) -> None:  # noqa: N802 - the name that the base class calls
        """Answer at one path only, as the main port does."""
        # Not `self.path`, where several leading slashes are joined.
        if self.requestline.split()[1].partition("?")[0] == METRICS_PATH:
            super().do_GET()
        else:
            self.send_error(404)


class MetricsServer(HTTPServer):
    """Serves the metrics from a thread on a port of their own.

    Every worker listens on the same port and has the metrics of all, so scrapes succeed as long as
    one worker runs.

    Args:
        host: address to listen on.
        port: port to listen on.
    """

    allow_reuse_port = True

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family, address = found[0], found[4]
        super().__init__(address[:2], _Handler.factory(registry()))  # type: ignore[arg-type]
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def server_bind(self) -> None:
        """Bind without the reverse DNS look-up of `HTTPServer`."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore scrapers that disconnect."""

"""Assembles the application: routes, middleware and services."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import License
from litestar.types import ASGIApp

from uptake import __version__, settings, wiring
from uptake.formats.registry import FORMATS
from uptake.http import log, problems, telemetry
from uptake.http.access import PUBLIC, Access, require_declared
from uptake.http.access_tokens import AccessTokens
from uptake.http.actions import Actions
from uptake.http.api.routes import PREFIX, api_routes
from uptake.http.console import Console
from uptake.http.cors import Cors
from uptake.http.error_receipts import ErrorReceipts
from uptake.http.executors import Executors
from uptake.http.images import image_route
from uptake.http.ingest import Ingest, UploadThreads
from uptake.http.key_uses import KeyUses
from uptake.http.limits import Bodies, Drain
from uptake.http.litestar_internals import operations
from uptake.http.modes import Modes
from uptake.http.monitoring import MetricsServer, health_routes, metrics_route
from uptake.http.openapi import document, operation_id
from uptake.http.semantics import AnyRequest, RouteTable, Semantics, check_query
from uptake.http.shutdown import GracefulShutdown, exit_with_parent
from uptake.http.stalled import StalledConnections
from uptake.http.user_tokens import UserTokens
from uptake.model.problems import Kinds
from uptake.wiring import Services

GC_THRESHOLDS = (20_000, 50, 100)

THRESHOLD_BYTES = (32 << 20) - (8 << 10)
"""A little below the largest block that raises glibc's threshold (`DEFAULT_MMAP_THRESHOLD_MAX`)."""

LITESTAR_PAGES = "/schema"
"""Path of Litestar's documentation pages, which load scripts from other hosts. They are not served;
`/openapi.json` is."""


def create() -> ASGIApp:
    """Build the application from the settings in the environment; Granian's workers call this."""
    exit_with_parent()
    lines = log.set_up()
    # A request creates thousands of objects and hardly any cycles. The default, a collection after
    # every 700 objects, would take 10% of the time.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    _raise_mmap_threshold()
    configured = settings.from_environment()
    StalledConnections(configured.port).start()
    services = wiring.open_services(configured, make=True)
    origins = frozenset(configured.cors_origin.split())
    return build(services, lines.write, configured.metrics, origins)


def _raise_mmap_threshold() -> None:
    """Make glibc reuse freed memory instead of returning it to the system.

    When a block of this size is freed, glibc raises its threshold (mallopt(3), `M_MMAP_THRESHOLD`).
    Page faults for the arrays of a rollup would otherwise take a third of its time.
    """
    bytearray(THRESHOLD_BYTES)


def build(
    services: Services,
    write_line: Callable[[bytes], object],
    metrics_at: tuple[str, int] | None = None,
    cors_origins: frozenset[str] = frozenset(),
) -> ASGIApp:
    """Build the application over services, which it closes when it shuts down.

    Args:
        services: storage and everything above it.
        write_line: writes the log lines of requests.
        metrics_at: separate address and port of the metrics; None for `/metrics` on the main port.
        cors_origins: the origins of which scripts may read.
    """
    threads = Executors(services.answers, services.blobs.parallel)
    uses = KeyUses(services.store, threads.reads)
    tokens = AccessTokens(services.store.secrets())
    user_tokens = UserTokens(services.store, threads.authentication, threads.issuers)
    access = Access(services.store, threads.authentication, uses, tokens, user_tokens)
    shutdown = GracefulShutdown(services.close)
    bodies = Bodies()
    errors = ErrorReceipts(services.commit)
    modes = Modes(services.store)
    uploads = UploadThreads(threads)
    ingest = Ingest(access, bodies, services, shutdown, modes, uploads, errors)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        shutdown.listen()
        services.upkeep.start()
        services.relaying.start()
        services.webhooks.start()
        services.warm_up.start()
        modes.start()
        shutdown.on_begin(services.images.stop)
        metrics = None if metrics_at is None else MetricsServer(*metrics_at)
        async with uses.written():
            yield
        modes.close()
        shutdown.close()
        if metrics is not None:
            metrics.close()

    handler = problems.Handler(services.public_url)
    app = Litestar(
        [
            *api_routes(services, shutdown, threads),
            *health_routes(PREFIX, services, shutdown, threads.health),
            *([] if metrics_at else [metrics_route()]),
            image_route(services, threads),
            _openapi_route(services.public_url),
        ],
        guards=[access.guard, check_query],
        exception_handlers={Exception: handler},
        openapi_config=_openapi_config(),
        lifespan=[lifespan],
        request_max_body_size=None,
        state=State({"bodies": bodies}),
    )
    require_declared(
        handler
        for route, _, handler, _ in operations(app.routes)
        if not route.path.startswith(LITESTAR_PAGES)
    )
    actions = Actions(access, services, threads.reads, threads.slow, shutdown, modes, bodies)
    vendors = [
        *(ingest.route(form, upload) for form in FORMATS for upload in form.uploads),
        *(actions.route(form, action) for form in FORMATS for action in form.actions),
    ]
    console = Console(services, threads, bodies)
    own_routes = [*vendors, *console.routes()]
    checked = Semantics(app, RouteTable(app.routes, own_routes, LITESTAR_PAGES), handler)
    console.connect(checked)
    served: ASGIApp = Drain(shutdown.middleware(checked))
    if cors_origins:
        served = Cors(served, cors_origins)
    return telemetry.Telemetry(served, write_line)


def _openapi_config() -> OpenAPIConfig:
    """What Litestar's part of the OpenAPI document has."""
    return OpenAPIConfig(
        title="Uptake",
        version=__version__,
        description="A self-hosted intake for user data.",
        license=License("Apache 2.0", identifier="Apache-2.0"),
        path=LITESTAR_PAGES,
        render_plugins=[],
        create_examples=False,
        use_handler_docstrings=True,
        operation_id_creator=operation_id,
    )


def _openapi_route(configured_url: str) -> HTTPRouteHandler:
    built: dict[str, Any] = {}

    @get(
        ["/openapi.json", f"{PREFIX}/openapi.json"],
        responses=problems.documented(Kinds.BAD_REQUEST),
        summary="Get this document",
        tags=["Service"],
        permission=PUBLIC,
    )
    async def get_openapi(request: AnyRequest) -> dict[str, Any]:
        """OpenAPI 3.1; clients can be generated from it."""
        if not built:
            built.update(document(request.app.openapi_schema.to_schema(), configured_url))
        return built

    return get_openapi

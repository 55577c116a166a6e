"""The application: every route, and what it answers with."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from litestar import HttpMethod, Litestar, Request, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.response.base import ASGIResponse
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Guard

from uptake import __version__, settings, wiring
from uptake.formats.base import Format, UploadOperation, WireRequest
from uptake.formats.registry import FORMATS
from uptake.http import lifeline, log, problems, telemetry
from uptake.http.access import PUBLIC, About, Access, Permission, require_declared
from uptake.http.address import reached_at
from uptake.http.api.routes import PREFIX, api_routes
from uptake.http.api.segments import segment_routes
from uptake.http.drain import Drain
from uptake.http.error_receipts import ErrorReceipts
from uptake.http.executors import executors
from uptake.http.health import health_routes
from uptake.http.images import image_route
from uptake.http.ingest import Ingest, UploadThreads, header_map
from uptake.http.limits import Bodies
from uptake.http.metrics import MetricsServer, metrics_route
from uptake.http.openapi import document
from uptake.http.route_table import RouteTable
from uptake.http.semantics import Semantics, check_query
from uptake.http.stalled import StalledConnections
from uptake.http.stopping import Stopping
from uptake.model import clock
from uptake.wiring import Services

GC_THRESHOLDS = (20_000, 50, 100)

KEPT_BYTES = (32 << 20) - (8 << 10)
"""A little below the largest block from which glibc learns (`DEFAULT_MMAP_THRESHOLD_MAX`)."""


LITESTAR_PAGES = "/schema"
"""Where Litestar puts pages about the API that load scripts from other hosts. They are not served:
the API is described by `/openapi.json`."""


def create() -> ASGIApp:
    """The application as the environment's settings want it; what a server process loads."""
    lifeline.hold()
    lines = log.set_up()
    # A request makes thousands of objects and no cycles to speak of: looking for them after every
    # 700 objects, through all that was loaded at the start, would take a tenth of the time.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    _keep_memory()
    chosen = settings.from_environment()
    StalledConnections(chosen.port).start()
    return build(wiring.open_services(chosen), lines.write, chosen.metrics)


def _keep_memory() -> None:
    """Have freed memory kept for the next question, instead of giving it back and asking anew.

    The C library learns from what it is given back: as glibc, once a block of this size was freed,
    keeps twice as much at hand (mallopt(3), `M_MMAP_THRESHOLD`). Asking the system for the arrays
    of a rollup page by page would take a third of its time.
    """
    bytearray(KEPT_BYTES)


def build(
    services: Services,
    write_line: Callable[[bytes], object],
    metrics_at: tuple[str, int] | None = None,
) -> ASGIApp:
    """The application over these services, which it closes when it shuts down.

    Args:
        services: what it works with.
        write_line: takes the log lines of requests.
        metrics_at: address and port of the metrics; None for `/metrics` beside everything else.
    """
    threads = executors(services.answers, services.blobs.parallel)
    access = Access(services.store, threads.authentication)
    stopping = Stopping(services.close)
    bodies = Bodies()
    errors = ErrorReceipts(services.commit)
    ingest = Ingest(access, bodies, services, stopping, UploadThreads(threads), errors)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        stopping.listen()
        services.upkeep.start()
        stopping.call_at_begin(services.images.stop)
        metrics = None if metrics_at is None else MetricsServer(*metrics_at)
        yield
        stopping.close()
        if metrics is not None:
            metrics.close()

    uploads = [
        _upload(form, operation, ingest, services.public_url)
        for form in FORMATS
        for operation in form.uploads
    ]
    handler = problems.Handler(services.public_url)
    app = Litestar(
        [
            *uploads,
            *api_routes(services, stopping, threads),
            segment_routes(PREFIX, services.segments, threads),
            *health_routes(services, stopping, threads.health),
            *([] if metrics_at else [metrics_route()]),
            image_route(services, threads),
            _openapi_route(services.public_url),
        ],
        guards=[access.guard, check_query],
        exception_handlers={Exception: handler},
        openapi_config=OpenAPIConfig(
            title="Uptake",
            version=__version__,
            description="A self-hosted intake for data about users.",
            path=LITESTAR_PAGES,
            render_plugins=[],
            create_examples=False,
        ),
        lifespan=[lifespan],
        request_max_body_size=None,
        state=State({"bodies": bodies}),
    )
    require_declared(
        handler
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(LITESTAR_PAGES)
        for handler in route.route_handlers
    )
    checked = Semantics(app, RouteTable(app.routes, LITESTAR_PAGES), handler)
    return telemetry.Telemetry(Drain(stopping.watching(checked)), write_line)


class _Unguarded(HTTPRouteHandler):
    """A handler without the application's guards: `Ingest` admits uploads.

    Litestar copies a handler for each guard of each request, a twentieth of a small upload's time.
    """

    def resolve_guards(self) -> list[Guard]:
        """None."""
        return []


def _upload(
    form: Format, operation: UploadOperation, ingest: Ingest, configured_url: str
) -> HTTPRouteHandler:
    # The vendors' names for parts of a path are not all Python's.
    names = {name: name.replace("-", "_") for name in _names(operation.path)}
    path = operation.path
    for name, identifier in names.items():
        path = path.replace(f"{{{name}}}", f"{{{identifier}:str}}")

    needed = Permission(operation.scope, About.UPLOAD)

    @_Unguarded(
        path,
        http_method=HttpMethod(operation.method),
        name=operation.name,
        include_in_schema=False,
        status_code=200,
        permission=needed,
    )
    async def upload(request: Request[Any, Any, Any]) -> ASGIResponse:
        scope = request.scope
        headers = header_map(scope["headers"])
        base_url = configured_url or reached_at(scope["scheme"], headers)
        wire = WireRequest(
            request_id=scope["state"]["request_id"],
            received_at=clock.now(),
            url=base_url + scope["path"],
            public_url=base_url,
            path={name: unquote(request.path_params[part]) for name, part in names.items()},
            headers=headers,
        )
        return problems.UploadResponse(
            await ingest.take(form, operation, request, wire, scope["query_string"])
        )

    return upload


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _openapi_route(configured_url: str) -> HTTPRouteHandler:
    built: dict[str, Any] = {}

    @get(["/openapi.json", f"{PREFIX}/openapi.json"], include_in_schema=False, permission=PUBLIC)
    async def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
        if not built:
            built.update(document(request.app.openapi_schema.to_schema(), configured_url))
        return built

    return openapi

"""The application: every route, and what it answers with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp

from uptake import __version__, settings, wiring
from uptake.formats import FORMATS
from uptake.formats.base import Endpoint, Format, WireRequest
from uptake.http import problems, telemetry
from uptake.http.access import Access
from uptake.http.address import public_url
from uptake.http.api.routes import PREFIX, api_routes
from uptake.http.health import health_routes
from uptake.http.images import image_route
from uptake.http.ingest import Ingest, header_map
from uptake.http.limits import Bodies, ClientGone
from uptake.http.openapi import document
from uptake.model import clock
from uptake.wiring import Services


def create() -> ASGIApp:
    """The application as the environment's settings want it; what a server process loads."""
    telemetry.set_up_logging()
    return build(wiring.open_services(settings.from_environment()))


def build(services: Services) -> ASGIApp:
    """The application over these services, which it closes when it shuts down."""
    access = Access(services.store)
    ingest = Ingest(access, Bodies(), services.intake, services.commit)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        yield
        services.close()

    uploads = [
        _upload(form, endpoint, ingest, services.public_url)
        for form in FORMATS
        for endpoint in form.endpoints
    ]
    app = Litestar(
        [
            *uploads,
            *api_routes(services, access),
            *health_routes(services),
            image_route(services),
            _openapi_route(),
        ],
        exception_handlers={Exception: problems.handle},
        openapi_config=OpenAPIConfig(
            title="Uptake",
            version=__version__,
            description="A self-hosted intake for data about users.",
            path="/schema",
            render_plugins=[],
            create_examples=False,
        ),
        lifespan=[lifespan],
        request_max_body_size=None,
        before_request=_remember_route,
    )
    return telemetry.Telemetry(app)


async def _remember_route(request: Request[Any, Any, Any]) -> None:
    request.scope["state"]["route"] = request.scope.get("path_template", "none")


def _upload(
    form: Format, endpoint: Endpoint, ingest: Ingest, configured_url: str
) -> HTTPRouteHandler:
    # The vendors' names for parts of a path are not all Python's.
    names = {name: name.replace("-", "_") for name in _names(endpoint.path)}
    path = endpoint.path
    for name, identifier in names.items():
        path = path.replace(f"{{{name}}}", f"{{{identifier}:str}}")

    @post(path, name=endpoint.name, include_in_schema=False, status_code=200)
    async def upload(request: Request[Any, Any, Any]) -> Response[bytes]:
        scope = request.scope
        base_url = public_url(request, "")
        wire = WireRequest(
            request_id=scope["state"]["request_id"],
            received_at=clock.now(),
            url=base_url + scope["path"],
            public_url=configured_url or base_url,
            path={name: unquote(request.path_params[part]) for name, part in names.items()},
            headers=header_map(scope["headers"]),
        )
        try:
            reply, problem = await ingest.take(form, endpoint, request, wire, scope["query_string"])
        except ClientGone:
            return Response(b"", status_code=400, media_type=MediaType.JSON)
        return problems.respond(reply, problem)

    return upload


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _openapi_route() -> HTTPRouteHandler:
    built: dict[str, Any] = {}

    @get(["/openapi.json", f"{PREFIX}/openapi.json"], include_in_schema=False)
    async def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
        if not built:
            built.update(document(request.app.openapi_schema.to_schema()))
        return built

    return openapi

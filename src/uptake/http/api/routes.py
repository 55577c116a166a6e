"""All routes of `/uptake/v1`."""

from litestar import Router

from uptake.http.access import Access
from uptake.http.api.asking import guard
from uptake.http.api.erasing import erasure_routes
from uptake.http.api.exports import export_routes
from uptake.http.api.refused import refusal_routes, replay_routes
from uptake.http.api.retaining import retention_routes
from uptake.http.api.rollups import rollup_route
from uptake.http.api.sync import sync_route
from uptake.http.api.types import type_routes
from uptake.http.api.users import user_routes
from uptake.http.stopping import Stopping
from uptake.wiring import Services

PREFIX = "/uptake/v1"


def api_routes(services: Services, access: Access, stopping: Stopping) -> list[Router]:
    """The routes, over these services; each asks for a key first."""
    may_read, may_erase, may_administer = (
        guard(access, scope) for scope in ("data:read", "data:erase", "admin")
    )
    handlers = [
        *user_routes(services, may_read),
        rollup_route(services.store, may_read),
        sync_route(services.store, may_read),
        *refusal_routes(services, may_read),
        *replay_routes(services, may_administer),
        *erasure_routes(services, may_erase),
        *retention_routes(services, may_administer),
        *export_routes(services, stopping, may_read),
        *type_routes(services, access),
    ]
    return [Router(PREFIX, route_handlers=handlers)]

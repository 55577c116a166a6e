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
from uptake.http.executors import Executors
from uptake.http.stopping import Stopping
from uptake.wiring import Services

PREFIX = "/uptake/v1"


def api_routes(
    services: Services, access: Access, stopping: Stopping, executors: Executors
) -> list[Router]:
    """The routes, over these services; each asks for a key first."""
    may_read, may_erase, may_administer = (
        guard(access, scope) for scope in ("data:read", "data:erase", "admin")
    )
    handlers = [
        *user_routes(services, may_read, executors),
        rollup_route(services.store, may_read, executors),
        sync_route(services.store, may_read, executors),
        *refusal_routes(services, may_read, executors),
        *replay_routes(services, may_administer, executors),
        *erasure_routes(services, may_erase, executors),
        *retention_routes(services, may_administer, executors),
        *export_routes(services, stopping, may_read, executors),
        *type_routes(services, access, executors),
    ]
    return [Router(PREFIX, route_handlers=handlers)]

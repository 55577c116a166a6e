"""All routes of `/uptake/v1`."""

from litestar import Router

from uptake.http.api.erasing import erasure_routes
from uptake.http.api.exports import export_routes
from uptake.http.api.rejections import rejection_routes, replay_routes
from uptake.http.api.retaining import retention_routes
from uptake.http.api.rollups import rollup_route
from uptake.http.api.sync import sync_route
from uptake.http.api.types import type_routes
from uptake.http.api.users import user_routes
from uptake.http.executors import Executors
from uptake.http.stopping import Stopping
from uptake.wiring import Services

PREFIX = "/uptake/v1"


def api_routes(services: Services, stopping: Stopping, executors: Executors) -> list[Router]:
    """The routes, over these services; each declares its permission."""
    handlers = [
        *user_routes(services, executors),
        rollup_route(services, executors),
        sync_route(services, executors),
        *rejection_routes(services, executors),
        *replay_routes(services, executors),
        *erasure_routes(services, executors),
        *retention_routes(services, executors),
        *export_routes(services, stopping, executors),
        *type_routes(services, executors),
    ]
    return [Router(PREFIX, route_handlers=handlers)]

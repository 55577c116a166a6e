"""All routes of `/uptake/v1`."""

from litestar import Router

from uptake.http.access import Access
from uptake.http.api.asking import guard
from uptake.http.api.exports import export_routes
from uptake.http.api.refused import reading_routes, replay_routes
from uptake.http.api.users import user_routes
from uptake.wiring import Services

PREFIX = "/uptake/v1"


def api_routes(services: Services, access: Access) -> list[Router]:
    """The routes, over these services; each asks for a key first."""
    reading = [*user_routes(services), *reading_routes(services), *export_routes(services)]
    return [
        Router(PREFIX, guards=[guard(access, "data:read")], route_handlers=reading),
        Router(PREFIX, guards=[guard(access, "admin")], route_handlers=replay_routes(services)),
    ]

"""All routes of `/uptake/v1`."""

from types import ModuleType

from litestar import Router

from uptake.http.api import (
    audit,
    erasures,
    keys,
    projects,
    rejections,
    relays,
    request_counts,
    requests,
    retention,
    segments,
    server,
    service,
    types,
    users,
    webhooks,
)
from uptake.http.api.dependencies import ApiOperation
from uptake.http.api.exports import export_operations
from uptake.http.api.request_stream import stream_operations
from uptake.http.executors import Executors
from uptake.http.request_feed import RequestFeed
from uptake.http.shutdown import GracefulShutdown
from uptake.wiring import Services

PREFIX = "/uptake/v1"


def api_operations(shutdown: GracefulShutdown, executors: Executors) -> tuple[ApiOperation, ...]:
    """All operations; each declares its permission."""
    return (
        *_declared(service, users, rejections, request_counts, requests, erasures, retention),
        *export_operations(shutdown, executors.exports),
        *stream_operations(shutdown, RequestFeed(executors.reads)),
        *_declared(types, segments, projects, keys, relays, webhooks, audit, server),
    )


def api_routes(
    services: Services, shutdown: GracefulShutdown, executors: Executors
) -> list[Router]:
    """The routes over these services."""
    operations = api_operations(shutdown, executors)
    return [Router(PREFIX, route_handlers=[one.handler(services, executors) for one in operations])]


def _declared(*modules: ModuleType) -> list[ApiOperation]:
    return [
        one for module in modules for one in vars(module).values() if isinstance(one, ApiOperation)
    ]

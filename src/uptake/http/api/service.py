"""The server itself: its version, its instance, and the limits of its endpoints."""

import msgspec

from uptake import __version__
from uptake.formats.registry import UPLOADS
from uptake.http.access import ANY_KEY
from uptake.http.api.dependencies import Call, operation


class EndpointView(msgspec.Struct, frozen=True):
    """An endpoint for uploads.

    Attributes:
        name: as in `format` of rejections and in `uptake send --as`.
        method, path: of its requests; names of parameters are in braces.
        scope: the scope that a key needs.
        limits: `max_body_bytes`, and the others of the endpoint, such as `max_items`.
    """

    name: str
    method: str
    path: str
    scope: str
    limits: dict[str, int]


class ServiceView(msgspec.Struct, frozen=True):
    """The server, as a key sees it.

    Attributes:
        name: `uptake`.
        version: of the program.
        instance: id of the database; a database that is restored from a backup has the same.
        project, scopes: those of the key.
        endpoints: where data is uploaded.
    """

    name: str
    version: str
    instance: str
    project: str
    scopes: list[str]
    endpoints: list[EndpointView]


@operation("GET", "/", ANY_KEY, "Get the server's version, instance and limits")
def get_service(call: Call) -> ServiceView:
    """Any valid key may call this, and it does not count against the key's rate."""
    endpoints = [
        EndpointView(one.name, one.method, one.path, one.scope, one.all_limits)
        for one in UPLOADS.values()
        if one.is_endpoint
    ]
    instance = call.store.secrets().instance
    scopes = sorted(call.key.scopes)
    return ServiceView("uptake", __version__, instance, call.project, scopes, endpoints)

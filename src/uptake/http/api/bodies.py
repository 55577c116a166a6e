"""The bodies of `/uptake/v1`: read by the server's own reader, and described for OpenAPI.

Litestar would read them without limits of size, time or depth.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody, Schema

from uptake.formats.base import MALFORMED, without_bom
from uptake.http import limits
from uptake.http.address import peer_of
from uptake.http.api.asking import AnyRequest, key_of
from uptake.http.ingest import header_map
from uptake.model.problems import Kinds, Problem, json_reason

MAX_STRUCT = 1024 * 1024
"""Bytes of a body that is read into a type: ten times those of as many rules as there may be."""

PROBLEMS = (Kinds.TIMEOUT, Kinds.TOO_LARGE, Kinds.UNSUPPORTED_ENCODING)
"""What reading a body adds to the problems of an operation."""

Type = TypeVar("Type")


def json_body(schema: Reference | Schema, *, required: bool = True) -> type[Operation]:
    """An operation whose handler reads a JSON body of this schema by itself."""

    @dataclass
    class ReadsJson(Operation):
        def __post_init__(self) -> None:
            media = {"application/json": OpenAPIMediaType(schema=schema)}
            self.request_body = RequestBody(content=media, required=required)

    return ReadsJson


def component(name: str) -> Reference:
    """A schema that the document has under this name."""
    return Reference(ref=f"#/components/schemas/{name}")


async def read(request: AnyRequest, limit: int) -> bytes:
    """A request's body, decompressed, without a byte order mark.

    Raises:
        Problem: it has more bytes than `limit`, arrives too slowly, or cannot be decompressed.
        ClientGone: the client disconnected.
    """
    headers = header_map(request.scope["headers"])
    limits.check_headers(headers, limit)
    with request.app.state.bodies.room(key_of(request).id, peer_of(request.scope)) as room:
        body = await limits.read_body(request.receive, headers, limit, room=room)
    if body.fault:
        raise Problem(Kinds.BAD_REQUEST, body.fault)
    return without_bom(body.content)


async def read_as(request: AnyRequest, kind: type[Type]) -> Type:
    """A request's JSON body as a value of this type.

    Raises:
        Problem: as `read`, or the body is not of this type.
        ClientGone: the client disconnected.
    """
    content = await read(request, MAX_STRUCT)
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise Problem(Kinds.BAD_REQUEST, str(error)) from None
    except MALFORMED as error:
        raise not_json(error) from None


def not_json(error: BaseException) -> Problem:
    """The problem of a body that cannot be decoded."""
    return Problem(Kinds.BAD_REQUEST, f"The body is not JSON: {json_reason(error)}")


def any_json(content: bytes) -> Any:
    """JSON as Python's values.

    Raises:
        Problem: it is not JSON.
    """
    try:
        return msgspec.json.decode(content)
    except MALFORMED as error:
        raise not_json(error) from None

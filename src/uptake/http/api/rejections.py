"""What is told of rejections and receipts, and how what was rejected is tried again."""

from typing import Annotated, Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter, QueryParameter

from uptake.formats.base import JSON_LIMIT, WireRequest
from uptake.formats.registry import UPLOADS
from uptake.http.access import About, Permission, permit_users, user_in_query
from uptake.http.address import public_url
from uptake.http.api import bodies
from uptake.http.api.asking import (
    DEFAULT_LIMIT,
    PROBLEMS,
    READ_RECORD,
    AnyRequest,
    Asking,
    Cursor,
    Limit,
    Moment,
    documented,
    instant,
    key_of,
    sound_id,
)
from uptake.http.executors import Executors
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.reading import rejections
from uptake.replay import Actor, Replayed, Replays, replay, replay_page
from uptake.store.definitions import Key
from uptake.store.stored import RejectionFilter
from uptake.time_units import TICKS_PER_MICROSECOND
from uptake.wiring import Services

LIST = Permission("data:read", About.USER_IN_QUERY)
REPLAY = Permission("admin", About.OWNER)
REPLAY_LIST = Permission("admin", About.USER_IN_QUERY)

ADMIN = "admin"
"""The scope that reads, in the default project, the receipts of requests without a known key."""

_UNAUTHORIZED = Kinds.UNAUTHORIZED.value.code

REPLAYED_AT_ONCE = 100
"""Rejections tried again in one request, unless it asks for fewer."""


Text = str | None
Format = Annotated[Text, Parameter(description="Name of the endpoint, e.g. `gerosense-v2.2`")]
Code = Annotated[Text, Parameter(description="Code of one of the faults, e.g. `above_limit`")]
KeyId = Annotated[Text, QueryParameter(name="key", description="Id of the key it was sent with")]
UserId = Annotated[Text, QueryParameter(name="user", description="Whom it is about")]
RequestId = Annotated[Text, QueryParameter(name="request", description="The request it came with")]
Resolved = Annotated[bool | None, Parameter(description="Whether it was replayed")]
From = Annotated[
    Text, QueryParameter(name="from", description=f"Received since, inclusive. {Moment}")
]
To = Annotated[Text, Parameter(description=f"Received before. {Moment}")]


def rejection_routes(services: Services, executors: Executors) -> list[HTTPRouteHandler]:
    """What was rejected, and what became of a request."""
    store, reads = services.store, Asking(executors.reads)

    @get(
        "/rejections",
        permission=LIST,
        responses=PROBLEMS,
        summary="What was refused, and why",
    )
    async def list_rejections(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        format: Format = None,  # noqa: A002 - the query's name
        code: Code = None,
        key_id: KeyId = None,
        user_id: UserId = None,
        request_id: RequestId = None,
        resolved: Resolved = None,
        since: From = None,
        to: To = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> rejections.RejectionPage:
        """In the order of receipt. A key that is bound to a user sees what is known to be its."""
        user_id = user_in_query(key_of(request), user_id)
        only = _filter(format, code, key_id, user_id, request_id, resolved, since, to)
        return await reads.ask(
            request,
            rejections.page,
            store,
            key_of(request).project,
            only=only,
            cursor=cursor,
            limit=limit,
        )

    @get(
        "/rejections/{rejection_id:str}",
        permission=READ_RECORD,
        responses=PROBLEMS,
        summary="A refused item",
    )
    async def get_rejection(request: AnyRequest, rejection_id: str) -> rejections.RawRejection:
        """With every reason, and the item as it was sent."""
        key = key_of(request)
        found = await reads.ask(
            request,
            rejections.rejection,
            store,
            services.blobs,
            key.project,
            sound_id(rejection_id),
            key.user,
        )
        permit_users(key, found.user_ids or [None])
        return found

    @get(
        "/requests/{request_id:str}",
        permission=READ_RECORD,
        responses=PROBLEMS,
        summary="What became of a request",
    )
    async def get_request(request: AnyRequest, request_id: str) -> rejections.Receipts:
        """Of every item, whatever its operation could say; by the `X-Request-Id` of its answer."""
        key = key_of(request)
        found = await reads.ask(
            request, rejections.receipts, store, key.project, sound_id(request_id), _status_of
        )
        permit_users(key, [outcomes.user_id for outcomes in found.submissions])
        # A sender without a known key may have meant any project.
        stray = any(one.code == _UNAUTHORIZED and not one.key_id for one in found.submissions)
        if stray and ADMIN not in key.scopes:
            raise Problem(Kinds.NOT_FOUND)
        return found

    return [list_rejections, get_rejection, get_request]


def _status_of(operation: str, accepted: int, rejected: int) -> int:
    known = UPLOADS.get(operation)
    return 200 if known is None else known.status_of(accepted, rejected)


def replay_routes(services: Services, executors: Executors) -> list[HTTPRouteHandler]:
    """What was rejected, tried again."""
    slow = Asking(executors.slow)

    @post(
        "/rejections/{rejection_id:str}/replay",
        status_code=200,
        permission=REPLAY,
        responses=PROBLEMS | documented(*bodies.PROBLEMS),
        summary="Try a refused item again",
    )
    async def replay_one(request: AnyRequest, rejection_id: str) -> Replayed:
        """As it was sent, or mended: a body, if there is one, takes the place of the item."""
        mended = await bodies.read(request, JSON_LIMIT)
        key, wire = key_of(request), _wire(request, services, mended)
        return await slow.change(
            request, replay, services, _actor(key), sound_id(rejection_id), wire
        )

    @post(
        "/rejections/replay",
        status_code=200,
        permission=REPLAY_LIST,
        responses=PROBLEMS,
        summary="Try refused items again",
    )
    async def replay_many(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        format: Format = None,  # noqa: A002 - the query's name
        code: Code = None,
        key_id: KeyId = None,
        user_id: UserId = None,
        request_id: RequestId = None,
        since: From = None,
        to: To = None,
        cursor: Cursor = None,
        limit: Annotated[
            int, Parameter(ge=1, le=REPLAYED_AT_ONCE, description="Items of a page")
        ] = REPLAYED_AT_ONCE,
    ) -> Replays:
        """A page of those that were not replayed yet; go on with `next` until it is null."""
        key, wire = key_of(request), _wire(request, services, b"")
        user_id = user_in_query(key, user_id)
        only = _filter(format, code, key_id, user_id, request_id, False, since, to)
        return await slow.change(
            request,
            replay_page,
            services,
            _actor(key),
            wire,
            only=only,
            cursor=cursor,
            limit=limit,
        )

    return [replay_one, replay_many]


def _actor(key: Key) -> Actor:
    return Actor(key.project, key.id, key.user)


def _wire(request: AnyRequest, services: Services, body: bytes) -> WireRequest:
    base_url = public_url(request, services.public_url)
    request_id = request.scope["state"]["request_id"]
    url = base_url + request.scope["path"]
    return WireRequest(request_id, clock.now(), url, base_url, body=body)


def _filter(*texts: Any) -> RejectionFilter:
    form, code, key_id, user_id, request_id, resolved, since, to = texts
    for text in (form, code, key_id, user_id, request_id):
        if text is not None and "\0" in text:
            raise Problem(Kinds.BAD_REQUEST, "A filter must not contain a NUL character")
    return RejectionFilter(
        form, key_id, user_id, request_id, code, _moment("from", since), _moment("to", to), resolved
    )


def _moment(name: str, text: str | None) -> int | None:
    return None if text is None else instant(name, text, 0) // TICKS_PER_MICROSECOND

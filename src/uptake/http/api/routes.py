"""What `/uptake/v1` answers: users, samples, documents and images."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from litestar import Request, Router, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter

from uptake.formats.base import IMAGES_PATH
from uptake.http.access import Access, bearer, permit_users
from uptake.http.address import public_url
from uptake.http.ingest import header_map
from uptake.http.problems import PROBLEM_JSON, ProblemDetails
from uptake.model.items import Metric
from uptake.model.problems import Kinds, Problem
from uptake.reading import BadCursor, Unknown, samples, users
from uptake.samples import times
from uptake.store.base import StoreUnavailable
from uptake.store.records import Key
from uptake.wiring import Services

PREFIX = "/uptake/v1"
MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1000
"""Entries of a page."""

Result = TypeVar("Result")
AnyRequest = Request[Any, Any, Any]
AnyConnection = ASGIConnection[Any, Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=MAX_LIMIT, description="Entries of a page")]
Cursor = Annotated[str | None, Parameter(description="The `next` of the page before")]
Moment = "ISO 8601; without an offset, UTC"

PROBLEMS = {
    kind.value.status: ResponseSpec(
        ProblemDetails,
        description=kind.value.title,
        media_type=PROBLEM_JSON,
        generate_examples=False,
    )
    for kind in (
        Kinds.BAD_REQUEST,
        Kinds.UNAUTHORIZED,
        Kinds.FORBIDDEN,
        Kinds.NOT_FOUND,
        Kinds.RATE_LIMITED,
        Kinds.UNAVAILABLE,
    )
}


def api_routes(services: Services, access: Access) -> list[Router]:
    """The routes, over these services; each asks for a key first."""
    store = services.store

    async def admit(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        # A guard, so that nothing else of a request is looked at before its key.
        secret = bearer(header_map(connection.scope["headers"]))
        connection.scope["state"]["key"] = await access.admit(secret, "data:read")

    @get("/users/{user_id:str}", responses=PROBLEMS, summary="A user's profile")
    async def get_user(request: AnyRequest, user_id: str) -> users.Profile:
        """Attributes, and how much of everything else there is."""
        key = _key(request)
        user_id = unquote(user_id)
        permit_users(key, {user_id})
        return await ask(users.profile, store, key.project, user_id)

    @get("/users/{user_id:str}/samples", responses=PROBLEMS, summary="A user's samples")
    async def get_samples(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        user_id: str,
        metric: Annotated[Metric, Parameter(description="Which kind of samples")],
        from_: Annotated[
            str | None, Parameter(query="from", description=f"Inclusive. {Moment}")
        ] = None,
        to: Annotated[str | None, Parameter(description=f"Exclusive. {Moment}")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> samples.SamplePage:
        """In order of start, repeats once, times with the offset in which they were told."""
        key = _key(request)
        user_id = unquote(user_id)
        permit_users(key, {user_id})
        return await ask(
            samples.page,
            store,
            key.project,
            user_id,
            metric,
            start=_instant("from", from_, samples.EARLIEST),
            end=_instant("to", to, samples.LATEST),
            cursor=cursor,
            limit=limit,
        )

    @get("/users/{user_id:str}/images", responses=PROBLEMS, summary="A user's images")
    async def get_images(
        request: AnyRequest, user_id: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> users.ImagePage:
        """In the order in which they were first received."""
        key = _key(request)
        user_id = unquote(user_id)
        permit_users(key, {user_id})
        base_url = public_url(request, services.public_url) + IMAGES_PATH
        return await ask(
            users.images,
            store,
            key.project,
            user_id,
            base_url=base_url,
            cursor=cursor,
            limit=limit,
        )

    @get("/documents/{upload_id:str}", responses=PROBLEMS, summary="A document")
    async def get_document(request: AnyRequest, upload_id: str) -> users.Document:
        """As it was uploaded."""
        key = _key(request)
        found = await ask(users.document, store, key.project, unquote(upload_id))
        permit_users(key, {found.user_id})
        return found

    handlers = [get_user, get_samples, get_images, get_document]
    return [Router(PREFIX, guards=[admit], route_handlers=handlers)]


def _key(request: AnyRequest) -> Key:
    key: Key = request.scope["state"]["key"]
    return key


async def ask(question: Callable[..., Result], *args: Any, **options: Any) -> Result:
    """Put a question to the kept data in a thread.

    Raises:
        Problem: for all that can go wrong with it.
    """
    try:
        return await asyncio.to_thread(question, *args, **options)
    except Unknown:
        raise Problem(Kinds.NOT_FOUND) from None
    except BadCursor as error:
        raise Problem(Kinds.BAD_REQUEST, f"cursor: {error}") from None
    except StoreUnavailable as error:
        raise Problem(Kinds.UNAVAILABLE) from error


def _instant(name: str, text: str | None, default: int) -> int:
    if not text:
        return default
    # In a query, an offset's plus sign that nobody encoded arrives as a space.
    for attempt in (text, "+".join(text.rsplit(" ", 1))):
        try:
            return times.read(attempt)[0]
        except ValueError:
            continue
    raise Problem(Kinds.BAD_REQUEST, f"{name}: {text[:100]!r} is not an ISO 8601 timestamp")

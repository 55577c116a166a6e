"""What is told of users: profiles, samples, documents and images."""

from functools import partial
from typing import Annotated
from urllib.parse import unquote

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter, QueryParameter

from uptake.formats.base import IMAGES_PATH
from uptake.http.access import permit_users
from uptake.http.address import public_url
from uptake.http.api.asking import (
    DEFAULT_LIMIT,
    PROBLEMS,
    READ_RECORD,
    READ_USER,
    AnyRequest,
    Asking,
    Cursor,
    Limit,
    Moment,
    instant,
    key_of,
)
from uptake.http.executors import Executors
from uptake.reading import samples, users
from uptake.reading.stretches import EARLIEST, LATEST
from uptake.samples.metrics import Metric
from uptake.wiring import Services


def user_routes(services: Services, executors: Executors) -> list[HTTPRouteHandler]:
    """The routes, over these services."""
    store = services.store
    reads, slow = Asking(executors.reads), Asking(executors.slow)

    @get(
        "/users/{user_id:str}",
        permission=READ_USER,
        responses=PROBLEMS,
        summary="A user's profile",
    )
    async def get_user(request: AnyRequest, user_id: str) -> users.Profile:
        """Attributes, and how much of everything else there is."""
        project, user_id = _named(request, user_id)
        return await slow.ask(request, users.profile, store, project, user_id)

    @get(
        "/users/{user_id:str}/samples",
        permission=READ_USER,
        responses=PROBLEMS,
        summary="A user's samples",
    )
    async def get_samples(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        user_id: str,
        metric: Annotated[Metric, Parameter(description="Which kind of samples")],
        from_: Annotated[
            str | None, QueryParameter(name="from", description=f"Inclusive. {Moment}")
        ] = None,
        to: Annotated[str | None, Parameter(description=f"Exclusive. {Moment}")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> samples.SamplePage:
        """In order of start, repeats once, times with the offset in which they were told."""
        project, user_id = _named(request, user_id)
        return await slow.ask(
            request,
            samples.page,
            store,
            project,
            user_id,
            metric,
            start=instant("from", from_, EARLIEST),
            end=instant("to", to, LATEST),
            cursor=cursor,
            limit=limit,
        )

    @get(
        "/users/{user_id:str}/images",
        permission=READ_USER,
        responses=PROBLEMS,
        summary="A user's images",
    )
    async def get_images(
        request: AnyRequest, user_id: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> users.ImagePage:
        """In the order in which they were first received."""
        project, user_id = _named(request, user_id)
        base_url = public_url(request, services.public_url) + IMAGES_PATH
        find = partial(users.images, base_url=base_url, cursor=cursor, limit=limit)
        return await reads.ask(request, find, store, project, user_id)

    @get(
        "/documents/{upload_id:str}",
        permission=READ_RECORD,
        responses=PROBLEMS,
        summary="A document",
    )
    async def get_document(request: AnyRequest, upload_id: str) -> users.Document:
        """As it was uploaded."""
        key = key_of(request)
        found = await reads.ask(request, users.document, store, key.project, unquote(upload_id))
        permit_users(key, {found.user_id})
        return found

    return [get_user, get_samples, get_images, get_document]


def _named(request: AnyRequest, user_id: str) -> tuple[str, str]:
    """The project and the user that a request is about."""
    return key_of(request).project, unquote(user_id)

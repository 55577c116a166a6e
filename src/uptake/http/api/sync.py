"""The question for what there is, by which a client knows what it has still to send."""

from typing import Annotated
from urllib.parse import unquote

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter, QueryParameter

from uptake.http.api.asking import (
    MAX_LIMIT,
    PROBLEMS,
    READ_USER,
    AnyRequest,
    Asking,
    Cursor,
    Moment,
    documented,
    instant,
    key_of,
)
from uptake.http.executors import Executors
from uptake.model.problems import Kinds
from uptake.reading import sync
from uptake.reading.stretches import EARLIEST, LATEST
from uptake.samples.metrics import Metric
from uptake.wiring import Services


def sync_route(services: Services, executors: Executors) -> HTTPRouteHandler:
    """The route, over these services."""
    slow = Asking(executors.slow)

    @get(
        "/users/{user_id:str}/sync",
        permission=READ_USER,
        responses=PROBLEMS | documented(Kinds.TOO_MUCH),
        summary="What there is of a user's samples",
    )
    async def get_sync(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        user_id: str,
        metric: Annotated[Metric, Parameter(description="Which kind of samples")],
        from_: Annotated[
            str | None, QueryParameter(name="from", description=f"Inclusive. {Moment}")
        ] = None,
        to: Annotated[str | None, Parameter(description=f"Exclusive. {Moment}")] = None,
        cursor: Cursor = None,
        limit: Annotated[
            int, Parameter(ge=1, le=MAX_LIMIT, description="Days of a page, those with samples")
        ] = MAX_LIMIT,
    ) -> sync.SyncState:
        """How many samples of which devices, and a digest of each day (UTC), to compare."""
        key = key_of(request)
        user_id = unquote(user_id)
        return await slow.ask(
            request,
            sync.page,
            services.store,
            key.project,
            user_id,
            metric,
            start=instant("from", from_, EARLIEST),
            end=instant("to", to, LATEST),
            cursor=cursor,
            limit=limit,
            memory=services.answers.memory,
        )

    return get_sync

"""The question for rollups."""

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
    Limit,
    documented,
    key_of,
    told_instant,
)
from uptake.http.executors import Executors
from uptake.model.problems import Kinds, Problem
from uptake.reading import rollups
from uptake.reading.rollups import SAMPLE_ZONE, HeartRateRollup, StepsRollup
from uptake.reading.tables import Bound, Question
from uptake.samples import zones
from uptake.samples.metrics import Metric
from uptake.samples.rollup.calendar import Every
from uptake.wiring import Services

MERGE, EACH = "merge", "each"
"""What is said instead of a device's name for all of them, brought together or apart."""

_LOCAL = "ISO 8601; without an offset, what the local clock shows"


def rollup_route(services: Services, executors: Executors) -> HTTPRouteHandler:
    """The route, over these services."""
    slow = Asking(executors.slow)

    @get(
        "/users/{user_id:str}/rollups",
        permission=READ_USER,
        responses=PROBLEMS | documented(Kinds.TOO_MUCH),
        summary="A user's rollups",
    )
    async def get_rollups(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        user_id: str,
        metric: Annotated[Metric, Parameter(description="Which kind of samples")],
        every: Annotated[Every, Parameter(description="How long a bucket is")] = "day",
        from_: Annotated[
            str | None,
            QueryParameter(name="from", description=f"Buckets that start then or later. {_LOCAL}"),
        ] = None,
        to: Annotated[
            str | None, Parameter(description=f"Buckets that start before then. {_LOCAL}")
        ] = None,
        zone: Annotated[
            str,
            Parameter(
                description=f"Whose days and hours: those of an IANA time zone, or "
                f"`{SAMPLE_ZONE}` for those of each sample's own clock"
            ),
        ] = SAMPLE_ZONE,
        devices: Annotated[
            str,
            Parameter(
                description=f"`{MERGE}`: all, what overlaps counted once; `{EACH}`: every device "
                "in buckets of its own; or the name of one"
            ),
        ] = MERGE,
        priority: Annotated[
            list[str] | None,
            Parameter(
                description="Names of devices, the most trusted first: repeated, or one text with "
                "commas between names. For merged steps"
            ),
        ] = None,
        explain: Annotated[  # noqa: FBT002 - a query has names
            bool, Parameter(description="Whether each bucket tells the part of every device")
        ] = False,
        cursor: Cursor = None,
        limit: Limit = MAX_LIMIT,
    ) -> StepsRollup | HeartRateRollup:
        """Sums of steps, or heart rates, by minute, hour, day, week or month, in order."""
        key = key_of(request)
        user_id = unquote(user_id)
        question = Question(
            metric=metric,
            every=every,
            zone=_zone(zone),
            device=devices if devices not in {MERGE, EACH} else None,
            each=devices != MERGE,
            priority=_places(priority or []),
            explain=explain,
            begin=_bound("from", from_),
            end=_bound("to", to),
        )
        return await slow.ask(
            request,
            rollups.page,
            services.store,
            key.project,
            user_id,
            question,
            cursor=cursor,
            limit=limit,
            memory=services.answers.memory,
        )

    return get_rollups


def _zone(name: str) -> str | None:
    if name == SAMPLE_ZONE:
        return None
    if name not in zones.names():
        raise Problem(Kinds.BAD_REQUEST, f"zone: {name[:100]!r} is no time zone of the IANA")
    return name


def _places(values: list[str]) -> dict[str, int]:
    """The place of each device; a text with a comma is a name itself, and several names."""
    names = dict.fromkeys(
        name for value in values for name in (value, *(part.strip() for part in value.split(",")))
    )
    return {name: place for place, name in enumerate(names)}


def _bound(name: str, text: str | None) -> Bound | None:
    if not text:
        return None
    ticks, with_offset = told_instant(name, text)
    return Bound(ticks, local=not with_offset)

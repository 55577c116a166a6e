"""What `/uptake/v1/segments` answers."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

from litestar import Router, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from uptake.formats.base import MALFORMED
from uptake.http.api import bodies
from uptake.http.api.asking import (
    ADMINISTER,
    DEFAULT_LIMIT,
    PROBLEMS,
    READ_PROJECT,
    AnyRequest,
    Asking,
    Cursor,
    Limit,
    documented,
    key_of,
)
from uptake.http.executors import Executors
from uptake.model.problems import Kinds, Problem
from uptake.reading.segments.answers import (
    Members,
    Preview,
    SegmentPage,
    SegmentView,
)
from uptake.reading.segments.parse import NotAFilter
from uptake.reading.segments.questions import MAX_FILTER, NAME, Segments
from uptake.reading.segments.schema import ROOT

Result = TypeVar("Result")
_TOLD = PROBLEMS | documented(
    Kinds.TIMEOUT,
    Kinds.TOO_LARGE,
    Kinds.UNSUPPORTED_ENCODING,
    Kinds.INVALID_FILTER,
    Kinds.TOO_MANY_USERS,
)


_ReadsFilter = bodies.json_body(bodies.component(ROOT))


def segment_routes(prefix: str, segments: Segments, executors: Executors) -> Router:
    """The routes below a prefix; each declares its permission."""
    slow = Asking(executors.slow)
    return Router(prefix, route_handlers=_questions(segments, slow) + _changes(segments, slow))


def _questions(segments: Segments, slow: Asking) -> list[HTTPRouteHandler]:
    @post(
        "/segments/preview",
        status_code=200,
        permission=READ_PROJECT,
        responses=_TOLD,
        operation_class=_ReadsFilter,
        summary="Of whom is a filter true?",
    )
    async def preview_segment(
        request: AnyRequest, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> Preview:
        """How many users, and a page of them in order of id."""
        project, text = key_of(request).project, await bodies.read(request, MAX_FILTER)
        return await slow.ask(request, _answered, segments.preview, project, text, cursor, limit)

    @get(
        "/segments",
        permission=READ_PROJECT,
        responses=PROBLEMS,
        summary="The segments of a project",
    )
    async def get_segments(
        request: AnyRequest, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> SegmentPage:
        """In order of name."""
        return await slow.ask(
            request, _answered, segments.segments, key_of(request).project, cursor, limit
        )

    @get("/segments/{name:str}", permission=READ_PROJECT, responses=PROBLEMS, summary="A segment")
    async def get_segment(request: AnyRequest, name: str) -> SegmentView:
        """Its filter, as it was given."""
        return await slow.ask(
            request, _answered, segments.segment, key_of(request).project, _known(name)
        )

    @get(
        "/segments/{name:str}/users",
        permission=READ_PROJECT,
        responses=_TOLD,
        summary="A segment's users",
    )
    async def get_segment_users(
        request: AnyRequest, name: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> Members:
        """How many there are now, and a page of them in order of id."""
        project = key_of(request).project
        return await slow.ask(
            request, _answered, segments.members, project, _known(name), cursor, limit
        )

    return [preview_segment, get_segments, get_segment, get_segment_users]


def _changes(segments: Segments, slow: Asking) -> list[HTTPRouteHandler]:
    @put(
        "/segments/{name:str}",
        permission=ADMINISTER,
        responses=_TOLD,
        operation_class=_ReadsFilter,
        summary="Give a filter a name",
    )
    async def put_segment(request: AnyRequest, name: str) -> SegmentView:
        """A new segment, or another filter for one that there is. Scope `admin`."""
        name = unquote(name)
        if not NAME.fullmatch(name):
            raise Problem(Kinds.BAD_REQUEST, f"name: must be like {NAME.pattern}")
        project, text = key_of(request).project, await bodies.read(request, MAX_FILTER)
        return await slow.change(request, _answered, segments.put, project, name, text)

    @delete(
        "/segments/{name:str}",
        permission=ADMINISTER,
        responses=PROBLEMS,
        summary="Forget a segment",
    )
    async def delete_segment(request: AnyRequest, name: str) -> None:
        """Its users stay as they are. Scope `admin`."""
        await slow.change(
            request, _answered, segments.delete, key_of(request).project, _known(name)
        )

    return [put_segment, delete_segment]


def _known(name: str) -> str:
    name = unquote(name)
    if not NAME.fullmatch(name):
        raise Problem(Kinds.NOT_FOUND)
    return name


def _answered(question: Callable[..., Result], *args: Any) -> Result:
    try:
        return question(*args)
    except MALFORMED as error:
        raise bodies.not_json(error) from None
    except NotAFilter as error:
        raise Problem(Kinds.INVALID_FILTER, str(error), faults=tuple(error.faults)) from None

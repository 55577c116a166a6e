"""What of a project is given away as files, made while they are sent."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, unquote

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import Parameter, QueryParameter
from litestar.response.base import ASGIResponse
from msgspec.structs import replace

from uptake.exports import (
    MEDIA_TYPES,
    PACKED_MEDIA_TYPES,
    Compression,
    Export,
    Form,
    Kind,
    NotPossible,
    Question,
    compression_of,
    media_type_of,
    suffix_of,
)
from uptake.http.access import About, Permission, user_in_query
from uptake.http.address import is_head
from uptake.http.api.asking import (
    PROBLEMS,
    READ_USER,
    AnyRequest,
    Asking,
    Moment,
    documented,
    instant,
    key_of,
)
from uptake.http.executors import Executors
from uptake.http.stopping import Stopping
from uptake.http.streams import CURSOR_HEADER, Exports
from uptake.model.problems import Kinds, Problem
from uptake.reading.segments.questions import NAME
from uptake.reading.stretches import EARLIEST, LATEST
from uptake.reading.users import require
from uptake.samples.metrics import METRICS, Metric
from uptake.wiring import Services

ZIP = "application/zip"

EXPORT = Permission("data:read", About.USER_IN_QUERY)

Text = str | None
UserId = Annotated[Text, QueryParameter(name="user", description="Only what is about this user")]
OfSegment = Annotated[Text, Parameter(description="Only what is about the users of this segment")]
From = Annotated[
    Text,
    QueryParameter(
        name="from",
        description="Samples that start, documents and rejections that were received, users that"
        f" were last seen then or later. {Moment}",
    ),
]
To = Annotated[Text, Parameter(description=f"The same, before this. {Moment}")]
Since = Annotated[
    Text,
    Parameter(description=f"The `{CURSOR_HEADER}` of an export: only what was received after it"),
]
OfMetric = Annotated[Metric | None, Parameter(description="Of samples, only these")]
OfType = Annotated[
    Text, QueryParameter(name="type", description="Of documents, only those of this type")
]
AskedForm = Annotated[Form, Parameter(description="Of the file")]
AskedCompression = Annotated[
    Compression | None,
    Parameter(description="Unless told: `zstd` inside of Parquet, else `none`"),
]


_TOLD = PROBLEMS | documented(Kinds.TOO_MANY_USERS)


def _content(*media_types: str) -> dict[str, OpenAPIMediaType]:
    return {name: OpenAPIMediaType(schema=Schema()) for name in media_types}


@dataclass
class _ExportOperation(Operation):
    """An answer of any of several media types."""

    def __post_init__(self) -> None:
        header = OpenAPIHeader(
            schema=Schema(type=OpenAPIType.STRING), description="From where the next one goes on"
        )
        self.responses = {
            **(self.responses or {}),
            "200": OpenAPIResponse(
                description="The file",
                headers={CURSOR_HEADER: header},
                content=_content(*MEDIA_TYPES.values(), *PACKED_MEDIA_TYPES.values()),
            ),
        }


@dataclass
class _ArchiveOperation(Operation):
    """An answer that is a zip file."""

    def __post_init__(self) -> None:
        answer = OpenAPIResponse(description="The archive", content=_content(ZIP))
        self.responses = {**(self.responses or {}), "200": answer}


def export_routes(
    services: Services, stopping: Stopping, executors: Executors
) -> list[HTTPRouteHandler]:
    """The routes, over these services."""
    store, exports = services.store, Exports(stopping, executors.exports)
    reads = Asking(executors.reads)

    @get(
        "/exports/{kind:str}",
        permission=EXPORT,
        operation_class=_ExportOperation,
        responses=_TOLD,
        summary="A project's data as a file",
    )
    async def get_export(  # noqa: PLR0913, PLR0917 - what can be asked for
        request: AnyRequest,
        kind: Annotated[Kind, Parameter(description="What is exported")],
        form: AskedForm = "parquet",
        compression: AskedCompression = None,
        user: UserId = None,
        segment: OfSegment = None,
        from_: From = None,
        to: To = None,
        since: Since = None,
        metric: OfMetric = None,
        type_name: OfType = None,
    ) -> ASGIResponse:
        """All of it or a part, as it is at this moment, streamed in constant memory."""
        key = key_of(request)
        if key.user is not None and user is None:
            raise Problem(Kinds.FORBIDDEN, "The key is bound to a user: name that user in `user`")
        user = user_in_query(key, user)
        try:
            packed = compression_of(form, compression)
        except NotPossible as error:
            raise Problem(Kinds.BAD_REQUEST, f"compression: {error}") from None
        if user is not None and segment is not None:
            raise Problem(Kinds.BAD_REQUEST, "user or segment: one of them")
        if segment is not None and not NAME.fullmatch(segment):
            raise Problem(Kinds.NOT_FOUND)
        if user is not None:
            await reads.ask(request, require, store, key.project, user)
        question = Question(
            kind,
            key.project,
            users=None if user is None else lambda: [user],
            start=instant("from", from_, EARLIEST) if from_ else None,
            end=instant("to", to, LATEST) if to else None,
            since=since or None,
            metrics=tuple(METRICS) if metric is None else (metric,),
            type_name=type_name,
        )
        return await exports.answer(
            request,
            _opened(services, question, segment, form, packed),
            media_type_of(form, packed),
            _named(kind + suffix_of(form, packed)),
        )

    @get(
        "/users/{user_id:str}/archive",
        permission=READ_USER,
        operation_class=_ArchiveOperation,
        responses=PROBLEMS,
        summary="Everything about a user",
    )
    async def get_archive(request: AnyRequest, user_id: str) -> ASGIResponse:
        """As a zip file: profile, samples, documents, images, rejections, and what they are."""
        key = key_of(request)
        user_id = unquote(user_id)
        if is_head(request.scope):
            await reads.ask(request, require, store, key.project, user_id)
        return await exports.answer(
            request,
            _archived(services, key.project, user_id),
            ZIP,
            _named(f"{user_id}.zip"),
        )

    return [get_export, get_archive]


@contextmanager
def _opened(
    services: Services,
    question: Question,
    segment: str | None,
    form: Form,
    compression: Compression,
) -> Iterator[Export]:
    # Not before it is needed: Arrow takes 40 MB.
    from uptake.exports.exporting import opened  # noqa: PLC0415

    if segment is not None:
        question = replace(question, users=services.segments.user_ids(question.project, segment))
    with opened(services.store, services.blobs, question, form, compression) as export:
        yield export


def _archived(services: Services, project: str, user_id: str) -> AbstractContextManager[Export]:
    from uptake.exports.archive import archived  # noqa: PLC0415

    return archived(services.store, services.blobs, project, user_id)


def _named(name: str) -> dict[str, str]:
    """Under which name a browser keeps a file (RFC 6266, RFC 8187)."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}

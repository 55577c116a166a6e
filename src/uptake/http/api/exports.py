"""Exports of a project as files, generated while they are sent."""

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

import structlog
from litestar.openapi.spec import OpenAPIHeader, OpenAPIMediaType, OpenAPIResponse, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.response.base import ASGIResponse
from msgspec.structs import replace

from uptake.blobs import BlobsUnavailable
from uptake.exports import Export, ExportQuery, InvalidExport, Kind
from uptake.exports.forms import (
    COMPRESSED_MEDIA_TYPES,
    FORMS,
    Compression,
    FormName,
    compression_of,
)
from uptake.http.access import About, Permission, user_in_query
from uptake.http.api.dependencies import (
    READ_USER,
    ApiOperation,
    Call,
    Text,
    operation,
    query,
)
from uptake.http.api.time_parameters import TIME, bound, zone
from uptake.http.executors import EXPORTS_AT_ONCE, BoundedExecutor
from uptake.http.problems import problem_of
from uptake.http.semantics import is_head
from uptake.http.shutdown import GracefulShutdown
from uptake.http.streaming import CutOff, Stream, StreamedResponse
from uptake.model.problems import Kinds, Problem
from uptake.reading import SAMPLE_ZONE, types
from uptake.reading.audit import record_export
from uptake.reading.bounds import TooMuch
from uptake.reading.segments.queries import NAME
from uptake.samples.metrics import METRICS, Metric
from uptake.store.base import StoreUnavailable
from uptake.wiring import Services

ZIP = "application/zip"
CURSOR_HEADER = "Uptake-Cursor"
ROLLUP_ZONE = f"IANA name, or `{SAMPLE_ZONE}` for the local time of each sample. Default: UTC"
EXPORT = Permission("data:read", About.USER_IN_QUERY)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Parameters that select the exported rows and the format of the file."""

    format_: Annotated[FormName, query("File format", name="format")] = "parquet"
    form: Annotated[FormName | None, query("Deprecated name of `format`")] = None
    compression: Annotated[Compression | None, query("Default: `zstd` in Parquet, else `none`")] = (
        None
    )
    user: Annotated[Text, query("Only data of this user", name="user")] = None
    segment: Annotated[Text, query("Only data of the users in this segment")] = None
    from_: Annotated[
        Text,
        query(
            "Samples and days that start, documents and rejections that were received, users"
            f" that were last seen at or after this time. {TIME}",
            name="from",
        ),
    ] = None
    to: Annotated[Text, query(f"The same, before this time. {TIME}")] = None
    since: Annotated[
        Text, query(f"The `{CURSOR_HEADER}` of an export: only data received after that export")
    ] = None
    metric: Annotated[Metric | None, query("Only samples or rollups of this metric")] = None
    type_name: Annotated[Text, query("Only documents of this type", name="type")] = None
    zone: Annotated[Text, query(f"Time zone of the days of rollups. {ROLLUP_ZONE}")] = None

    def format_name(self) -> FormName:
        """The format by either name.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        if self.form is not None and self.format_ not in {"parquet", self.form}:
            raise Problem(Kinds.BAD_REQUEST, "`form` is the old name of `format`: send one of them")
        return self.form or self.format_

    def query(self, kind: Kind, project: str) -> ExportQuery:
        """The query of these parameters, for all users.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        if self.zone is not None and kind != "rollups":
            raise Problem(Kinds.BAD_REQUEST, "`zone` is only for rollups")
        return ExportQuery(
            kind,
            project,
            start=bound("from", self.from_),
            end=bound("to", self.to),
            since=self.since or None,
            metrics=tuple(METRICS) if self.metric is None else (self.metric,),
            type_name=self.type_name,
            zone=zone(self.zone or "UTC"),
        )


def _content(*media_types: str) -> dict[str, OpenAPIMediaType]:
    schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
    return {name: OpenAPIMediaType(schema=schema) for name in media_types}


FILE = OpenAPIResponse(
    description="The file",
    headers={
        CURSOR_HEADER: OpenAPIHeader(
            schema=Schema(type=OpenAPIType.STRING), description="`since` of the next export"
        )
    },
    content=_content(
        *(form.media_type for form in FORMS.values()), *COMPRESSED_MEDIA_TYPES.values()
    ),
)
ARCHIVE = OpenAPIResponse(description="The archive", content=_content(ZIP))


def _generated(opening: AbstractContextManager[Export]) -> Generator[Any, None, None]:
    """The cursor of an export, then its parts; closing the generator releases the snapshot."""
    with opening as export:
        yield export.cursor
        yield from export.parts


class ExportStreams:
    """Streams exports; a process runs only a few at a time."""

    def __init__(self, shutdown: GracefulShutdown, executor: BoundedExecutor) -> None:
        self._shutdown = shutdown
        self._executor = executor
        self._free = EXPORTS_AT_ONCE

    async def response(
        self, call: Call, opening: AbstractContextManager[Export], media_type: str, name: str
    ) -> ASGIResponse:
        """The response with an export, and its cursor in a header; HEAD does not open the export.

        Raises:
            Problem: `OVERLOADED`, or the export cannot be opened.
        """
        self._shutdown.check()
        # The file name for browsers (RFC 6266, RFC 8187).
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        headers = {"Content-Disposition": disposition}
        if is_head(call.request.scope):
            headers["Content-Type"] = media_type
            return ASGIResponse(headers=headers, is_head_response=True)
        if not self._free:
            message = f"{EXPORTS_AT_ONCE} exports are already running. Retry later."
            raise Problem(Kinds.OVERLOADED, message)
        self._free -= 1
        export = _generated(opening)

        async def close() -> None:
            try:
                with suppress(StoreUnavailable):
                    await self._executor.run(export.close)
            finally:
                self._free += 1

        try:
            cursor = await self._executor.run(partial(next, export))
            # Most errors occur here, while the status can still be chosen.
            first = await self._executor.run(partial(next, export, None))
        except BaseException as error:
            await close()
            raise problem_of(error, cursor="since") or error from error
        if cursor is not None:
            headers[CURSOR_HEADER] = cursor
        parts = self._parts(export, first, call.request_id)
        stream = Stream(parts, close=close, shutdown=self._shutdown.begun)
        return StreamedResponse(stream, headers, media_type)

    async def _parts(
        self, export: Iterator[Any], part: bytes | None, request_id: str
    ) -> AsyncIterator[bytes]:
        try:
            while part is not None:
                yield part
                part = await self._executor.run(partial(next, export, None))
        except (StoreUnavailable, BlobsUnavailable, TooMuch) as error:
            _log.error("export failed", request_id=request_id, reason=str(error))
            raise CutOff from error


def export_operations(
    shutdown: GracefulShutdown, executor: BoundedExecutor
) -> tuple[ApiOperation, ...]:
    """The operations, which share a limit of exports at a time."""
    streams = ExportStreams(shutdown, executor)

    @operation(
        "GET",
        "/exports/{kind:str}",
        EXPORT,
        "Export a project's data",
        problems=(Kinds.TOO_MANY_USERS, Kinds.TOO_MUCH),
        response=FILE,
    )
    async def get_export(
        call: Call, kind: Annotated[Kind, query("Kind of data")], options: ExportOptions
    ) -> ASGIResponse:
        """Streams a snapshot of the data as a file, in constant memory."""
        key, form, segment = call.key, options.format_name(), options.segment
        if key.user is not None and options.user is None:
            raise Problem(Kinds.FORBIDDEN, "The key is bound to a user: `user` is required")
        user = user_in_query(key, options.user)
        try:
            packed = compression_of(form, options.compression)
        except InvalidExport as error:
            raise Problem(Kinds.BAD_REQUEST, f"compression: {error}") from None
        if user is not None and segment is not None:
            raise Problem(Kinds.BAD_REQUEST, "`user` and `segment` are mutually exclusive")
        if segment is not None and not NAME.fullmatch(segment):
            raise Problem(Kinds.NOT_FOUND, f"This project has no segment {segment!r}")
        question = options.query(kind, key.project)
        await call.run(call.executors.reads, _begin, call, user, question, options)
        if user is not None:
            question = replace(question, users=lambda: [user])
        opening = _opened(call.services, question, segment, form, packed)
        name = kind + FORMS[form].suffix_of(packed)
        return await streams.response(call, opening, FORMS[form].media_type_of(packed), name)

    @operation(
        "GET",
        "/users/{user_id:str}/archive",
        READ_USER,
        "Export all data of a user",
        response=ARCHIVE,
    )
    async def get_archive(call: Call, user_id: str) -> ASGIResponse:
        """A zip file with the profile, samples, documents, images, rejections and a description."""
        await call.run(call.executors.reads, _begin_archive, call, user_id)
        opening = _archived(call.services, call.project, user_id)
        return await streams.response(call, opening, ZIP, f"{user_id}.zip")

    return get_export, get_archive


def _begin(call: Call, user: str | None, question: ExportQuery, options: ExportOptions) -> None:
    """Check that the selected user and type exist, and record the export in the audit log.

    A key of a user may not see the types.

    Raises:
        Unknown: one of them does not exist.
    """
    if user is not None:
        call.user(user).require()
    name = question.type_name
    if question.kind == "documents" and name is not None and call.key.user is None:
        types.require(call.store, call.project, name)
    selected = {
        "kind": question.kind,
        "format": options.format_name(),
        "segment": options.segment,
    }
    _record(call, user, selected)


def _begin_archive(call: Call, user_id: str) -> None:
    """Check that the user exists, and record the archive in the audit log.

    Raises:
        Unknown: the user does not exist.
    """
    call.user(user_id).require()
    _record(call, user_id, {"kind": "archive"})


def _record(call: Call, user: str | None, selected: Mapping[str, str | None]) -> None:
    """Record an export; HEAD exports nothing."""
    if not is_head(call.request.scope):
        record_export(call.store, call.project, user, selected)


@contextmanager
def _opened(
    services: Services,
    question: ExportQuery,
    segment: str | None,
    form: FormName,
    compression: Compression,
) -> Iterator[Export]:
    from uptake.exports.writers import open_export  # noqa: PLC0415 - Arrow takes 40 MB

    if segment is not None:
        question = replace(question, users=services.segments.user_ids(question.project, segment))
    with open_export(services.store, services.blobs, question, form, compression) as export:
        yield export


def _archived(services: Services, project: str, user_id: str) -> AbstractContextManager[Export]:
    from uptake.exports.archive import open_archive  # noqa: PLC0415 - Arrow takes 40 MB

    return open_archive(services.store, services.blobs, project, user_id)

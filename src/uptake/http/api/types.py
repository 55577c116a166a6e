"""What `/uptake/v1/document-types` answers."""

from functools import partial
from urllib.parse import unquote

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

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
from uptake.intake.dry_run import START, Example, Place, try_schema
from uptake.intake.schemas import (
    MAX_BYTES,
    InvalidName,
    InvalidSchema,
    SchemaWorkers,
    compile_schema,
    register,
)
from uptake.model.problems import Kinds, Problem
from uptake.reading import Name, Uuid, from_cursor, to_cursor, types
from uptake.store.base import DocumentTypeRegistry
from uptake.wiring import Services

DRY_RUN_SECONDS = 10.0
"""How long a dry run may take; then it tells what it has found, and where to go on."""

_TOLD = PROBLEMS | documented(
    Kinds.TIMEOUT, Kinds.TOO_LARGE, Kinds.UNSUPPORTED_ENCODING, Kinds.INVALID_SCHEMA
)


class DryRun(msgspec.Struct, frozen=True):
    """What a schema would reject of the documents that are kept.

    Attributes:
        documents: how many were judged.
        failing: how many of them would be rejected.
        examples: the first of those.
        next: goes on with the documents that there was no time for; null when there are none.
    """

    documents: int
    failing: int
    examples: list[Example]
    next: str | None


_ReadsSchema = bodies.json_body(
    Schema(
        type=[OpenAPIType.OBJECT, OpenAPIType.BOOLEAN],
        description="A JSON Schema, draft 2020-12 unless its `$schema` names another",
    )
)


def type_routes(services: Services, executors: Executors) -> list[HTTPRouteHandler]:
    """The routes, over these services.

    A schema is work that its sender gives to the server, and the dry run shows users' data: both
    are for `admin`.
    """
    store = services.store
    reads, slow = Asking(executors.reads), Asking(executors.slow)

    @get(
        "/document-types",
        permission=READ_PROJECT,
        responses=PROBLEMS,
        summary="The document types of a project",
    )
    async def get_types(
        request: AnyRequest, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> types.TypePage:
        """In order of name."""
        return await reads.ask(request, types.page, store, key_of(request).project, cursor, limit)

    @get(
        "/document-types/{name:str}",
        permission=READ_PROJECT,
        responses=PROBLEMS,
        summary="A document type",
    )
    async def get_type(request: AnyRequest, name: str) -> types.TypeView:
        """Its schema, and which version of it that is."""
        return await reads.ask(
            request, types.document_type, store, key_of(request).project, unquote(name)
        )

    @get(
        "/document-types/{name:str}/versions",
        permission=READ_PROJECT,
        responses=PROBLEMS,
        summary="The versions of a document type",
    )
    async def get_versions(
        request: AnyRequest, name: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> types.VersionPage:
        """Every schema it has had, and what is kept of the documents that each has judged."""
        project = key_of(request).project
        return await slow.ask(request, types.versions, store, project, unquote(name), cursor, limit)

    @put(
        "/document-types/{name:str}",
        permission=ADMINISTER,
        responses=_TOLD,
        operation_class=_ReadsSchema,
        summary="Register a document type, or change its schema",
    )
    async def put_type(request: AnyRequest, name: str) -> types.TypeView:
        """A changed schema is a new version. Documents that are kept stay. Scope `admin`."""
        text = await _schema(request)
        workers = services.schema_workers
        return await slow.change(
            request, _put, store, key_of(request).project, unquote(name), text, workers
        )

    @post(
        "/document-types/{name:str}/dry-run",
        status_code=200,
        permission=ADMINISTER,
        responses=_TOLD,
        operation_class=_ReadsSchema,
        summary="Try a schema on the documents that are kept",
    )
    async def dry_run(request: AnyRequest, name: str, cursor: Cursor = None) -> DryRun:
        """Nothing is changed by it; go on with `next` until it is null. Scope `admin`."""
        text = await _schema(request)
        question = partial(_try, services, key_of(request).project, unquote(name), text, cursor)
        return await slow.ask(request, question)

    return [get_types, get_type, get_versions, put_type, dry_run]


async def _schema(request: AnyRequest) -> str:
    content = await bodies.read(request, MAX_BYTES)
    bodies.any_json(content)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise bodies.not_json(error) from None


def _put(
    store: DocumentTypeRegistry, project: str, name: str, text: str, workers: SchemaWorkers
) -> types.TypeView:
    try:
        return types.view(register(store, project, name, text, workers))
    except InvalidName as error:
        raise Problem(Kinds.BAD_REQUEST, f"name: {error}") from None
    except InvalidSchema as error:
        raise Problem(Kinds.INVALID_SCHEMA, str(error)) from None


def _try(services: Services, project: str, name: str, text: str, cursor: str | None) -> DryRun:
    store = services.store
    after: Place = from_cursor(cursor, tuple[Name, Uuid]) if cursor else START
    types.document_type(store, project, name)
    try:
        check = compile_schema(text, services.schema_workers)
    except InvalidSchema as error:
        raise Problem(Kinds.INVALID_SCHEMA, str(error)) from None
    trial = try_schema(store, project, name, check, after, DRY_RUN_SECONDS)
    following = None if trial.next is None else to_cursor(trial.next)
    return DryRun(trial.documents, trial.failing, trial.examples, following)

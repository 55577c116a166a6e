"""Document types and their schemas."""

import msgspec
from litestar.openapi.spec import OpenAPIType, Schema

from uptake.http.api.dependencies import (
    ADMINISTER,
    READ_PROJECT,
    Body,
    Call,
    Cursor,
    PageParameters,
    operation,
    valid_json,
)
from uptake.intake.dry_run import START, Example, Place, SchemaTrial
from uptake.intake.schemas import MAX_BYTES, compile_schema, register
from uptake.model.problems import Kinds
from uptake.reading import Name, Uuid, from_cursor, to_cursor, types

DRY_RUN_SECONDS = 10.0
"""Time limit of a dry run; then it returns what it found so far and a cursor."""

BODY = Body(
    MAX_BYTES,
    Schema(
        type=[OpenAPIType.OBJECT, OpenAPIType.BOOLEAN],
        description="A JSON Schema, draft 2020-12 unless `$schema` names another",
    ),
)
PROBLEMS = (Kinds.INVALID_SCHEMA,)


class DryRun(msgspec.Struct, frozen=True):
    """Which stored documents a schema would reject.

    Attributes:
        documents: number of documents that were validated.
        failing: number of those that would be rejected.
        examples: the first of the failing documents.
        next: cursor for the remaining documents; null if there are none.
    """

    documents: int
    failing: int
    examples: list[Example]
    next: str | None


@operation("GET", "/document-types", READ_PROJECT, "List document types")
def list_document_types(call: Call, page: PageParameters) -> types.TypePage:
    """Ordered by name."""
    return types.page(call.store, call.project, page)


@operation("GET", "/document-types/{name:str}", READ_PROJECT, "Get a document type")
def get_document_type(call: Call, name: str) -> types.TypeView:
    """Returns the current schema and its version."""
    return types.document_type(call.store, call.project, name)


@operation(
    "GET",
    "/document-types/{name:str}/versions",
    READ_PROJECT,
    "List the versions of a document type",
    slow=True,
)
def list_document_type_versions(call: Call, name: str, page: PageParameters) -> types.VersionPage:
    """Returns each schema and the number of stored documents that it validated."""
    return types.versions(call.store, call.project, name, page)


# A schema costs computing time on the server, and a dry run shows users' data: both need `admin`.
@operation(
    "PUT",
    "/document-types/{name:str}",
    ADMINISTER,
    "Register a document type or change its schema",
    slow=True,
    changes=True,
    body=BODY,
    problems=PROBLEMS,
)
def put_document_type(call: Call, name: str) -> types.TypeView:
    """A changed schema becomes a new version. Stored documents do not change. Scope `admin`."""
    workers = call.services.schema_workers
    return types.view(register(call.store, call.project, name, _schema(call), workers))


@operation(
    "POST",
    "/document-types/{name:str}/dry-run",
    ADMINISTER,
    "Try a schema on stored documents",
    slow=True,
    body=BODY,
    problems=PROBLEMS,
)
def dry_run_document_type(call: Call, name: str, cursor: Cursor = None) -> DryRun:
    """Changes nothing. Repeat with `next` as the cursor until it is null. Scope `admin`."""
    text = _schema(call)
    after: Place = from_cursor(cursor, tuple[Name, Uuid]) if cursor else START
    types.document_type(call.store, call.project, name)
    check = compile_schema(text, call.services.schema_workers)
    trial = SchemaTrial(call.store, call.project, name, check).run(after, DRY_RUN_SECONDS)
    following = None if trial.next is None else to_cursor(trial.next)
    return DryRun(trial.documents, trial.failing, trial.examples, following)


def _schema(call: Call) -> str:
    with valid_json():
        msgspec.json.decode(call.content)
        return call.content.decode()

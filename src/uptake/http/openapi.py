"""The OpenAPI 3.1 document: routes of the API, and operations that formats declare.

Clients are generated from it: names of operations and titles of schemas are unique, and times,
files and members have their types.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET

from uptake.formats.base import (
    ActionOperation,
    Format,
    Operation,
    Place,
    UploadOperation,
)
from uptake.formats.registry import FORMATS
from uptake.formats.vectors import Vector, expanded, illustrated, vectors_of
from uptake.http.api.keys import KeyChange, NewKey, Rotation
from uptake.http.api.projects import NewProject
from uptake.http.api.webhooks import EventSelection, NewWebhook
from uptake.http.ingest import DUPLICATES_HEADER
from uptake.http.quota import LIMIT, RATE_HEADERS, REMAINING
from uptake.model.problems import Kinds
from uptake.reading.segments.schema import ROOT
from uptake.reading.segments.schema import schemas as filter_schemas

REF = "#/components/schemas/{name}"

_DUPLICATES = {
    "description": "Number of items that changed nothing, because they were already stored",
    "required": True,
    "schema": {"type": "integer", "minimum": 0},
}
REQUESTS = (NewKey, KeyChange, Rotation, NewProject, NewWebhook, EventSelection)
"""The types of bodies that no response has, so that Litestar does not know them."""
_REQUEST_ID = {
    "description": "Id of the request, which its receipt has too",
    "required": True,
    "schema": {"type": "string"},
}
_RETRY_AFTER = {
    "description": "Seconds after which the request may be repeated",
    "schema": {"type": "integer", "minimum": 0},
}
_RETRIED = {"429", "503"}
_MOMENT = re.compile(r"\w+_at|first_seen|last_seen")
"""Names of members that are RFC 3339 times."""

TAGS = {
    "Audit": "Changes by operators, and exports.",
    "Document types": "Types of documents, and the JSON Schema of each.",
    "Documents": "Single documents.",
    "Erasures": "Receipts of erasures.",
    "Exports": "Data as files.",
    "Health": "What monitoring asks.",
    "Images": "Stored images.",
    "Keys": "API keys.",
    "Projects": "Projects.",
    "Rejections": "Items that were rejected, and their replay.",
    "Requests": "The outcome of requests.",
    "Retention": "How long data is stored.",
    "Segments": "Users with certain attributes and activity.",
    "Server": "The settings and the state of the server.",
    "Service": "The server itself.",
    "Users": "What is stored about a user, and its erasure.",
    "Webhooks": "Receivers of signed events.",
} | {form.vendor: f"The API of {form.vendor}." for form in FORMATS}
"""Groups of operations."""

_PROBLEMS = (Kinds.UNAUTHORIZED, Kinds.FORBIDDEN, Kinds.RATE_LIMITED, Kinds.UNAVAILABLE)
_BODY_PROBLEMS = (Kinds.TIMEOUT, Kinds.TOO_LARGE, Kinds.UNSUPPORTED_ENCODING)


def operation_id(handler: HTTPRouteHandler, _method: str, components: list[Any]) -> str:
    """The name of a handler's function, in the spelling of OpenAPI's own examples.

    A handler with several paths has it once for each: `V1` is appended below `/uptake/v1`.
    """
    is_alias = len(handler.paths) > 1 and components[0] == "uptake"
    return _camel_case(handler.handler_name.split("_")) + ("V1" if is_alias else "")


def _camel_case(words: list[str]) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])


def document(api: dict[str, Any], server_url: str = "") -> dict[str, Any]:
    """Complete Litestar's document of `/uptake/v1` with the formats' operations.

    Args:
        api: the document of `/uptake/v1`.
        server_url: the public URL; without it, paths are relative to the URL of the document.
    """
    api["servers"] = [{"url": server_url or "/"}]
    components = api.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemes = components.setdefault("securitySchemes", {})
    for form in FORMATS:
        for operation in form.operations:
            path = api["paths"].setdefault(operation.path, {})
            path[operation.method.lower()] = _operation(form, operation, schemas, schemes)
    for kind in REQUESTS:
        _schema("", kind, schemas)
    schemas |= filter_schemas(REF)
    schemas["SegmentView"]["properties"]["filter"] = {"$ref": REF.format(name=ROOT)}
    # Any JSON, or null. `oneOf` would be wrong: null matches both.
    for name in ("TypeView", "VersionView"):
        schemas[name]["properties"]["schema"] = {"type": ["object", "boolean", "null"]}
    schemas["RawRejection"]["properties"]["item"] = {}
    # Members that a bucket has only if the request asks for them.
    for name in ("StepsBucket", "HeartRateBucket"):
        optional = {"device_name", "devices"}
        schemas[name]["required"] = [
            member for member in schemas[name]["required"] if member not in optional
        ]
    schemes["bearer"] = {"type": "http", "scheme": "bearer"}
    operations = [one for item in api["paths"].values() for one in item.values()]
    for described in operations:
        _complete(described)
    for schema in _within(api):
        _specify(schema)
    used = sorted({one["tags"][0] for one in operations})
    api["tags"] = [{"name": name, "description": TAGS.get(name, name)} for name in used]
    return api


def _complete(described: dict[str, Any]) -> None:
    """Add what all operations have, and remove what no request can contain."""
    described.setdefault("security", [])
    for status, response in described["responses"].items():
        headers = response.setdefault("headers", {})
        headers["X-Request-Id"] = _REQUEST_ID
        if status in _RETRIED:
            headers["Retry-After"] = _RETRY_AFTER
    for parameter in described.get("parameters", ()):
        # An optional parameter is left out, never null.
        schema = parameter["schema"]
        if isinstance(schema.get("type"), list):
            (schema["type"],) = set(schema["type"]) - {"null"}
        if "enum" in schema:
            schema["enum"] = [value for value in schema["enum"] if value is not None]
        for either in schema.pop("oneOf", ()):
            if either != {"type": "null"}:
                schema |= either
        if parameter.get("description", "").startswith("Deprecated"):
            parameter["deprecated"] = True


def _within(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a document, the outer ones first."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from _within(member)
    elif isinstance(value, list):
        for member in value:
            yield from _within(member)


def _specify(schema: dict[str, Any]) -> None:
    """Give members that are times their format, and replace a choice of one by what it is."""
    members = schema.get("properties", {})
    for name, member in members.items():
        if len(member.get("oneOf", ())) == 1:
            members[name] = member = member["oneOf"][0]  # noqa: PLW2901 - both are changed
        if _MOMENT.fullmatch(name):
            for one in member.get("oneOf", [member]):
                if one.get("type") == "string":
                    one["format"] = "date-time"


def _operation(
    form: Format, operation: Operation, schemas: dict[str, Any], schemes: dict[str, Any]
) -> dict[str, Any]:
    shown = [
        vector
        for vector in vectors_of(form)
        if vector.example and vector.operation == operation.name
    ]
    responses = {
        str(status): _response(form, kind, schemas, "As documented by the vendor")
        for status, kind in operation.answers.items()
    }
    for status in operation.answers:
        responses[str(status)]["content"]["application/json"]["examples"] = {
            vector.name: _example(vector, illustrated(expanded(vector.reply.body)))
            for vector in shown
            if vector.reply.status == status
        }
    kinds = [*(_PROBLEMS if operation.credentials or operation.has_body else ())]
    kinds += _BODY_PROBLEMS if operation.has_body else ()
    for kind in kinds:
        problem = _response(form, form.problem_type, schemas, kind.value.title)
        responses.setdefault(str(kind.value.status), problem)
    responses.setdefault("404", _response(form, form.problem_type, schemas, "Unknown path"))
    if isinstance(operation, UploadOperation):
        for response in responses.values():
            response["headers"] = {DUPLICATES_HEADER: _DUPLICATES} | _rate_headers(operation)
    described: dict[str, Any] = {
        "operationId": operation.operation_id or _name_of(form, operation),
        "tags": [form.vendor],
        "summary": operation.summary,
        "description": f"{operation.summary}. {_scopes(operation)}.",
        "parameters": _parameters(operation),
        "security": _security(operation, schemes),
    }
    if operation.has_body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {
                operation.request_media: {
                    "schema": _body(form, operation, schemas),
                    "examples": _requests(operation, shown),
                }
            },
        }
    return {**described, "responses": responses}


def _rate_headers(operation: UploadOperation) -> dict[str, Any]:
    described = RATE_HEADERS | {
        f"{header}-{name}": f"{RATE_HEADERS[header]}, for windows of {seconds} seconds"
        for seconds, name in operation.rate_windows.items()
        for header in (LIMIT, REMAINING)
    }
    return {
        name: {"description": f"{text}; only for keys with rates", "schema": {"type": "integer"}}
        for name, text in described.items()
    }


def _name_of(form: Format, operation: Operation) -> str:
    return _camel_case(operation.name.removeprefix(f"{form.name}-").split("-"))


def _scopes(operation: Operation) -> str:
    """The API key that an operation needs."""
    if not operation.credentials:
        return "No API key"
    if not operation.scope:
        return "Any valid API key"
    return f"Scope {' or '.join(f'`{scope}`' for scope in operation.scopes)}"


def _requests(operation: Operation, shown: list[Vector]) -> dict[str, Any]:
    """The valid bodies of vectors that have the operation's media type, by name."""
    found = {}
    for vector in shown:
        if vector.reply.status != 200:
            continue
        if vector.request.body is not UNSET and operation.is_json:
            found[vector.name] = _example(vector, expanded(vector.request.body))
        elif vector.request.multipart and not operation.is_json:
            parts = {part.name: f"(bytes of {part.filename})" for part in vector.request.multipart}
            found[vector.name] = _example(vector, parts)
    return found


def _example(vector: Vector, value: Any) -> dict[str, Any]:
    return {"summary": vector.description, "value": value}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{([^}]+)}", operation.path)
    ]
    for name, description in operation.headers.items():
        found.append(
            {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
        )
    if isinstance(operation, ActionOperation):
        found += [
            {"name": name, "in": "query", "schema": dict(schema)}
            for name, schema in operation.parameters.items()
        ]
    return found


def _security(operation: Operation, schemes: dict[str, Any]) -> list[dict[str, list[str]]]:
    names = []
    for credential in operation.credentials:
        if credential.place is Place.BEARER:
            names.append("bearer")
            continue
        schemes[credential.name] = {
            "type": "apiKey",
            "in": credential.place.value,
            "name": credential.name,
        }
        names.append(credential.name)
    return [{name: []} for name in names]


def _body(form: Format, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if operation.request_type is None:
        return dict(operation.request_schema)
    return _schema(form.vendor, operation.request_type, schemas)


def _response(form: Format, kind: Any, schemas: dict[str, Any], description: str) -> dict[str, Any]:
    schema = _schema(form.vendor, kind, schemas)
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schema(vendor: str, kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to a type's schema; names and titles start with the vendor's, to be unique.

    With "" as the vendor, it is a type of the product's own API.
    """
    (schema,), found = msgspec.json.schema_components([kind], ref_template=REF)
    renamed = msgspec.json.encode({"schema": schema, "found": found}).decode()
    names = {name: vendor[:1].upper() + vendor[1:] + name for name in found}
    for name, new in names.items():
        renamed = renamed.replace(f'"{REF.format(name=name)}"', f'"{REF.format(name=new)}"')
    result = msgspec.json.decode(renamed)
    for name, new in names.items():
        schemas[new] = result["found"][name] | {"title": new}
    return dict(result["schema"])

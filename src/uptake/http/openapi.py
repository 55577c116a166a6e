"""The OpenAPI 3.1 document: routes of the API, and operations that formats declare."""

import re
from typing import Any

import msgspec
from msgspec import UNSET

from uptake.formats.base import (
    JSON,
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
REQUESTS = (NewKey, KeyChange, Rotation, NewProject)
"""The types of bodies that no response has, so that Litestar does not know them."""

_PROBLEMS = (Kinds.UNAUTHORIZED, Kinds.FORBIDDEN, Kinds.RATE_LIMITED, Kinds.UNAVAILABLE)
_BODY_PROBLEMS = (Kinds.TIMEOUT, Kinds.TOO_LARGE, Kinds.UNSUPPORTED_ENCODING)


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
    for path, item in api["paths"].items():
        for described in item.values():
            if path.startswith("/uptake/") and "/health/" not in path:
                described["security"] = [{"bearer": []}]
    return api


def _operation(
    form: Format, operation: Operation, schemas: dict[str, Any], schemes: dict[str, Any]
) -> dict[str, Any]:
    shown = [
        vector
        for vector in vectors_of(form)
        if vector.example and vector.operation == operation.name
    ]
    responses = {
        str(status): _response(form.name, kind, schemas, "As documented by the vendor")
        for status, kind in operation.answers.items()
    }
    for status in operation.answers:
        responses[str(status)]["content"]["application/json"]["examples"] = {
            vector.name: _example(vector, illustrated(expanded(vector.reply.body)))
            for vector in shown
            if vector.reply.status == status
        }
    is_upload = isinstance(operation, UploadOperation)
    problems = (*_PROBLEMS, *_BODY_PROBLEMS) if is_upload else _PROBLEMS
    for kind in problems if operation.credentials else ():
        problem = _response(form.name, form.problem_type, schemas, kind.value.title)
        responses.setdefault(str(kind.value.status), problem)
    responses.setdefault("404", _response(form.name, form.problem_type, schemas, "Unknown path"))
    if isinstance(operation, UploadOperation):
        for response in responses.values():
            response["headers"] = {DUPLICATES_HEADER: _DUPLICATES} | _rate_headers(operation)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [form.vendor],
        "summary": operation.summary,
        "description": f"{_scopes(operation)}.",
        "parameters": _parameters(operation),
        "security": _security(operation, schemes),
    }
    if isinstance(operation, UploadOperation):
        described["requestBody"] = {
            "required": True,
            "content": {
                operation.request_media: {
                    "schema": _body(form.name, operation, schemas),
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


def _scopes(operation: Operation) -> str:
    """The API key that an operation needs."""
    if not operation.credentials:
        return "No API key"
    if not operation.scope:
        return "Any valid API key"
    return f"Scope {' or '.join(f'`{scope}`' for scope in operation.scopes)}"


def _requests(operation: UploadOperation, shown: list[Vector]) -> dict[str, Any]:
    """The bodies of vectors that have the operation's media type, by name."""
    is_json = operation.request_media == JSON
    found = {}
    for vector in shown:
        if vector.request.body is not UNSET and is_json:
            found[vector.name] = _example(vector, expanded(vector.request.body))
        elif vector.request.multipart and not is_json:
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


def _body(vendor: str, operation: UploadOperation, schemas: dict[str, Any]) -> dict[str, Any]:
    if operation.request_type is None:
        return dict(operation.request_schema)
    return _schema(vendor, operation.request_type, schemas)


def _response(vendor: str, kind: Any, schemas: dict[str, Any], description: str) -> dict[str, Any]:
    schema = _schema(vendor, kind, schemas)
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schema(vendor: str, kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to a type's schema; component names start with the format, to be unique."""
    (schema,), found = msgspec.json.schema_components([kind], ref_template=REF)
    renamed = msgspec.json.encode({"schema": schema, "found": found}).decode()
    for name in found:
        renamed = renamed.replace(
            f'"{REF.format(name=name)}"', f'"{REF.format(name=vendor + name)}"'
        )
    result = msgspec.json.decode(renamed)
    schemas.update({vendor + name: value for name, value in result["found"].items()})
    return dict(result["schema"])

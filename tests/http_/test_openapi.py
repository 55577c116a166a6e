"""The OpenAPI document: whole, valid, and true to what the formats' vectors show."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import uptake
from contract.tenant import Tenant
from http_.test_access import EXPECTED
from uptake.formats.registry import FORMATS

ENDPOINTS = {
    "/v1/user-data/{upload_type}",
    "/v1/user/profiles",
    "/a/api/v2/users/{user-id}/images",
    "/api/v1.1/samples",
    "/api/v2.2/samples",
}
API = {
    "/uptake/v1/users/{user_id}",
    "/uptake/v1/users/{user_id}/samples",
    "/uptake/v1/users/{user_id}/rollups",
    "/uptake/v1/users/{user_id}/sync",
    "/uptake/v1/users/{user_id}/images",
    "/uptake/v1/documents/{upload_id}",
    "/uptake/v1/segments",
    "/uptake/v1/segments/preview",
    "/uptake/v1/segments/{name}",
    "/uptake/v1/segments/{name}/users",
    "/uptake/v1/document-types",
    "/uptake/v1/document-types/{name}",
    "/uptake/v1/document-types/{name}/versions",
    "/uptake/v1/document-types/{name}/dry-run",
    "/health/live",
    "/health/ready",
}


@pytest.fixture
def document(tenant: Tenant) -> dict[str, Any]:
    """As it is served, without a key."""
    response = tenant.client.get("/openapi.json")
    assert response.status_code == 200
    result: dict[str, Any] = response.json()
    return result


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    """By the specification's own schema; operation ids are unique, and references exist."""
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_document_has_every_endpoint(document: dict[str, Any]) -> None:
    """The five uploads, the product's own API and its health."""
    assert set() == (ENDPOINTS | API) - set(document["paths"])
    assert all("post" in document["paths"][path] for path in ENDPOINTS)


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document["paths"][path]["post"] for path in sorted(ENDPOINTS)]


def test_every_upload_shows_a_request_and_each_answer(document: dict[str, Any]) -> None:
    """From the vectors of its format."""
    answers = {operation.path: operation.answers for form in FORMATS for operation in form.uploads}
    for path in sorted(ENDPOINTS):
        operation = document["paths"][path]["post"]
        (body,) = operation["requestBody"]["content"].values()
        assert body["examples"]
        for status in answers[path]:
            response = operation["responses"][str(status)]["content"]["application/json"]
            assert response["examples"]


def test_every_answer_that_is_shown_is_of_its_schema(document: dict[str, Any]) -> None:
    """Placeholders are filled in."""
    for operation in _operations(document):
        for response in operation["responses"].values():
            content = response["content"]["application/json"]
            schema = {**content["schema"], "components": document["components"]}
            for example in content.get("examples", {}).values():
                assert jsonschema_rs.is_valid(schema, example["value"])
                assert "<" not in str(example["value"])


def test_every_upload_shows_how_it_rejects(document: dict[str, Any]) -> None:
    """The statuses that the contract lists for all."""
    for operation in _operations(document):
        assert {"200", "401", "403", "404", "413", "429", "503"} <= set(operation["responses"])
        assert operation["security"]


def test_every_operation_has_a_name_a_group_and_its_security(document: dict[str, Any]) -> None:
    """Generated clients have a function for each, in a module for each group."""
    described = {group["name"] for group in document["tags"] if group["description"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert re.fullmatch(r"[a-z]+([A-Z][a-z]*|[0-9])*", operation["operationId"]), path
            assert set(operation["tags"]) <= described, path
            assert operation["description"], path
            is_public = EXPECTED[f"{method.upper()} {path}"].about in {"public", "login"}
            assert bool(operation["security"]) != is_public, path


def test_every_schema_has_a_title_of_its_own(document: dict[str, Any]) -> None:
    """Filters have none: generators name them by their component."""
    schemas = document["components"]["schemas"]
    titles = [schema["title"] for schema in schemas.values() if "title" in schema]
    assert len(titles) == len(set(titles))
    assert all(name.startswith("Filter") for name in schemas if "title" not in schemas[name])


def test_times_samples_and_files_are_typed(document: dict[str, Any]) -> None:
    """A client gets a date, an object with members, and bytes."""
    schemas = document["components"]["schemas"]
    assert schemas["UserView"]["properties"]["first_seen"]["format"] == "date-time"
    assert set(schemas["SampleView"]["properties"]) >= {"device_name", "start_date", "value"}
    assert schemas["Outcomes"]["properties"]["items"]["items"] == {
        "$ref": "#/components/schemas/ItemOutcome"
    }
    archive = document["paths"]["/uptake/v1/users/{user_id}/archive"]["get"]["responses"]["200"]
    assert archive["content"]["application/zip"]["schema"]["format"] == "binary"


def test_optional_parameters_are_never_null(document: dict[str, Any]) -> None:
    """They are left out."""
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                assert "null" not in str(parameter["schema"]), parameter


def test_no_route_is_left_out() -> None:
    """Except the pages of the console, which are for people."""
    hidden = [
        file.name
        for file in (Path(uptake.__file__).parent / "http").rglob("*.py")
        if "include_in_schema" in file.read_text("utf-8")
    ]
    assert hidden == []

"""The OpenAPI document: whole, valid, and true to what the formats' vectors show."""

from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from contract.tenant import Tenant
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
    """By the specification's own schema."""
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


def test_the_document_has_every_endpoint(document: dict[str, Any]) -> None:
    """The five uploads, the product's own API and its health."""
    assert set() == (ENDPOINTS | API) - set(document["paths"])
    assert all("post" in document["paths"][path] for path in ENDPOINTS)


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document["paths"][path]["post"] for path in sorted(ENDPOINTS)]


def test_every_upload_shows_a_request_and_each_answer(document: dict[str, Any]) -> None:
    """From the vectors of its format."""
    answers = {
        operation.name: operation.answers for form in FORMATS for operation in form.operations
    }
    for operation in _operations(document):
        (body,) = operation["requestBody"]["content"].values()
        assert body["examples"]
        for status in answers[operation["operationId"]]:
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

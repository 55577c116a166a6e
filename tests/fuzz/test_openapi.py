"""The live server against its own OpenAPI document."""

from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from http_.test_access import EXPECTED
from uptake.testing.live import ALL_WRITES, LiveServer

pytestmark = pytest.mark.usefixtures("served_throughout")

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 25
OPERATIONS = [(method, path) for method, path in map(str.split, EXPECTED)]
"""All of them: a test of the table holds it against the document."""


@pytest.fixture(scope="module")
def api(live: LiveServer) -> Any:
    """The document that the server gives out."""
    return schemathesis.openapi.from_url(f"{live.url}/openapi.json")


@pytest.fixture(scope="module")
def credentials(live: LiveServer) -> Mapping[str, Mapping[str, str]]:
    """Headers with a sound key in every place; for the path of a bound key, with one of those."""
    key = live.create_key(*ALL_WRITES, "data:read", "admin")
    bound = live.create_key("samples:write", user="schemathesis")
    live.create_type("0")
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key, "api-key": key}
    by_user = {"Authorization": f"Bearer {bound}"}
    return {path: by_user if "/v1.1/" in path else headers for _, path in OPERATIONS}


SOUND, UNSOUND = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CASES = [(*operation, SOUND) for operation in OPERATIONS] + [
    # There is nothing to be wrong with a request that has no input.
    (*operation, UNSOUND)
    for operation in OPERATIONS
    if EXPECTED[" ".join(operation)].about != "public"
]
KNOWN = {"upload_type": "0", "user-id": "7", "name": "stored"}
"""Valid values of path parameters, so that the body of a request is validated."""


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_every_answer_is_as_documented(
    api: Any,
    credentials: Mapping[str, Mapping[str, str]],
    method: str,
    path: str,
    mode: GenerationMode,
) -> None:
    """Status, content type and body, whatever is sent; and never a failure of the server."""
    operation = api[path][method]

    @seed(20240101)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_documented(case: Case[Any]) -> None:
        if mode is SOUND:
            parts = {name: KNOWN.get(name, value) for name, value in case.path_parameters.items()}
            case.path_parameters = parts
        case.call_and_validate(headers=dict(credentials[path]), checks=CHECKS)

    answers_as_documented()

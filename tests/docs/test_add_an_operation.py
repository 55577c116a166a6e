"""The how-to's operation of an existing vendor, added to a copy of the package."""

from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import serving

from .package_copy import PackageCopy

MAX_FILES = 5
PATH = "/v1/user/profile"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackageCopy:
    """A copy of the package with the diffs of the page."""
    package = PackageCopy(tmp_path_factory.mktemp("operation"))
    package.apply("add-an-operation.md")
    return package


def test_an_operation_is_at_most_five_files(package: PackageCopy) -> None:
    """All of them in the vendor's folder."""
    changes = package.changes()
    assert len(changes) <= MAX_FILES
    assert all(name.startswith("formats/ptengine/") for name in changes)


def test_the_operation_is_served_and_documented(package: PackageCopy, tmp_path: Path) -> None:
    """With its method, its scope, the vendor's envelope, and the OpenAPI document."""
    with serving(tmp_path, PYTHONPATH=str(package.source)) as server:
        key = server.create_key("profiles:write", "data:read")
        headers = {"Authorization": f"Bearer {key}"}
        body = {"user_id": "42", "attributes": {"plan": "pro"}}
        stored = httpx2.put(server.url + PATH, json=body, headers=headers)
        assert (stored.status_code, stored.json()["msg"]) == (200, "Success")
        user = httpx2.get(f"{server.url}/uptake/v1/users/42", headers=headers).json()
        assert user["attributes"] == {"plan": "pro"}
        rejected = httpx2.put(server.url + PATH, json={"user_id": "42"}, headers=headers)
        assert (rejected.status_code, list(rejected.json())) == (400, ["msg", "timestamp"])
        unknown = httpx2.put(server.url + PATH, json=body)
        assert (unknown.status_code, list(unknown.json())) == (401, ["msg", "timestamp"])
        wrong = httpx2.post(server.url + PATH, json=body, headers=headers)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "OPTIONS, PUT")
        document = httpx2.get(f"{server.url}/openapi.json").json()
    operation = document["paths"][PATH]["put"]
    assert operation["operationId"] == "profile"
    (shown,) = operation["requestBody"]["content"].values()
    assert shown["examples"]["profile"]["value"] == body


def test_its_vector_holds_and_the_reference_page_describes_it(package: PackageCopy) -> None:
    """As for every operation."""
    package.check_vectors("ptengine")
    assert f"\n## Ptengine: `PUT {PATH}`\n" in package.reference("endpoints.md")

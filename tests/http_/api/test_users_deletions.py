"""Deletion of single records: a document, an image, samples of a range of time."""

from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from contract.pictures import PNG
from contract.tenant import Tenant, sample

MISSING = "8cf3f5e8-0460-4f22-9b20-5b87c09a041f"
RANGE = {"metric": "steps", "from": "2023-11-01T00:01:00Z", "to": "2023-11-01T00:03:00Z"}


@pytest.fixture
def eraser(tenant: Tenant) -> str:
    """A key that may delete."""
    return tenant.key("data:erase")


def _delete(tenant: Tenant, path: str, secret: str, **query: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.delete(f"/uptake/v1{path}", headers=headers, params=query)


def test_a_document_is_deleted(tenant: Tenant, eraser: str) -> None:
    """The others stay; its Idempotency-Key can be used again, with the same content or another."""
    sent = {"Idempotency-Key": "once"}
    upload_id = tenant.document("42", {"mood": 7}, **sent).json()["uploadId"]
    other = tenant.document("42", {"mood": 8}).json()["uploadId"]
    path = f"/documents/{upload_id}"
    assert (answer := _delete(tenant, path, eraser)).status_code == 204, answer.text
    assert answer.content == b""
    assert _delete(tenant, path, eraser).status_code == 404
    assert tenant.get(path).status_code == 404
    listed = tenant.get("/users/42/documents").json()["documents"]
    assert [one["upload_id"] for one in listed] == [other]
    again = tenant.document("42", {"mood": 9}, **sent)
    assert (again.status_code, again.json()["uploadId"]) == (200, upload_id)
    assert tenant.get(path).json()["data"] == {"mood": 9}


def test_an_image_is_deleted_with_its_bytes(tenant: Tenant, eraser: str) -> None:
    """Its URL returns 404, and the same upload gets a new number."""
    image = tenant.picture("42", PNG).json()["response"]
    path = f"/users/42/images/{image['imageID']}"
    for wrong in (
        f"/users/43/images/{image['imageID']}",
        "/users/42/images/1",
        "/users/42/images/x",
        f"/users/42/images/{2**63}",
        f"/users/42/images/{'9' * 40}",
        "/users/42/images/%00",
    ):
        assert _delete(tenant, wrong, eraser).status_code == 404
    assert tenant.client.get(image["imageURL"]).status_code == 200
    assert _delete(tenant, path, eraser).status_code == 204
    assert _delete(tenant, path, eraser).status_code == 404
    assert tenant.client.get(image["imageURL"]).status_code == 404
    assert tenant.images("42") == []
    assert tenant.picture("42", PNG).json()["response"]["imageID"] > image["imageID"]


def test_samples_of_a_range_are_deleted(tenant: Tenant, eraser: str) -> None:
    """From every batch; other samples, their sync state and rollups are as they were without."""
    user = quote("münster/7", safe="")
    first, second = [sample(n) for n in range(4)], [sample(2, value=9), sample(3), sample(4)]
    for batch in (first, second):
        assert tenant.steps("münster/7", *batch).status_code == 200
    tenant.steps("left", *(sample(n) for n in (0, 3, 4)))
    answer = _delete(tenant, f"/users/{user}/samples", eraser, **RANGE)
    assert (answer.status_code, answer.json()) == (200, {"samples": 3})
    assert tenant.samples("münster/7") == tenant.samples("left")
    for path in ("rollups?metric=steps", "sync?metric=steps"):
        left = tenant.get(f"/users/left/{path}").json() | {"user_id": "münster/7"}
        assert tenant.get(f"/users/{user}/{path}").json() == left
    assert _delete(tenant, f"/users/{user}/samples", eraser, **RANGE).json() == {"samples": 0}
    assert tenant.user("münster/7")["samples"]["steps"]["count"] == 3
    again = tenant.steps("münster/7", *first)
    assert (again.status_code, again.headers["x-uptake-duplicates"]) == (200, "0")
    assert len(tenant.samples("münster/7")) == 5


def test_a_range_of_samples_is_given_in_full(tenant: Tenant, eraser: str) -> None:
    """A missing parameter must not delete everything; nothing in an empty range is deleted."""
    tenant.steps("42", *(sample(n) for n in range(3)))
    path = "/users/42/samples"
    for wrong in (
        {},
        {"metric": "steps"},
        *({name: RANGE[name] for name in RANGE if name != missing} for missing in RANGE),
        RANGE | {"from": ""},
        RANGE | {"to": "tomorrow"},
        RANGE | {"metric": "cats"},
    ):
        answer = _delete(tenant, path, eraser, **wrong)
        assert (answer.status_code, answer.json()["status"]) == (400, 400), wrong
    reverse = RANGE | {"from": RANGE["to"], "to": RANGE["from"]}
    assert _delete(tenant, path, eraser, **reverse).json() == {"samples": 0}
    assert len(tenant.samples("42")) == 3
    assert _delete(tenant, "/users/unknown/samples", eraser, **RANGE).status_code == 404


def test_a_bound_key_deletes_what_its_user_has(tenant: Tenant) -> None:
    """Records of another user are 403, whether by path or by owner."""
    upload_id = tenant.document("42", {"mood": 7}).json()["uploadId"]
    image = tenant.picture("42", PNG).json()["response"]["imageID"]
    tenant.steps("42", *(sample(n) for n in range(3)))
    stranger, owner = (tenant.key("data:erase", user=user) for user in ("43", "42"))
    paths: dict[str, dict[str, str]] = {
        f"/documents/{upload_id}": {},
        f"/users/42/images/{image}": {},
        "/users/42/samples": RANGE,
    }
    for path, query in paths.items():
        assert _delete(tenant, path, stranger, **query).status_code == 403
        assert _delete(tenant, path, tenant.secret, **query).status_code == 403
    assert _delete(tenant, f"/documents/{MISSING}", stranger).status_code == 404
    for path, query in paths.items():
        assert _delete(tenant, path, owner, **query).status_code in {200, 204}

"""Operation 1: typed JSON documents."""

import time
from typing import Any
from uuid import UUID

import httpx2
import pytest

from contract.tenant import TURNS, Tenant
from uptake.formats.base import WireRequest
from uptake.formats.thymia.decode import decode

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "required": ["score"],
    "properties": {"score": {"type": "integer"}},
}


def _post(tenant: Tenant, body: Any, path: str = "mood", **headers: str) -> httpx2.Response:
    return tenant.client.post(
        f"/v1/user-data/{path}", json=body, headers={"x-api-key": tenant.secret, **headers}
    )


def _locs(response: httpx2.Response) -> list[tuple[list[Any], str]]:
    assert response.status_code == 422
    assert list(response.json()) == ["detail"]
    entries = response.json()["detail"]
    assert all({"loc", "msg", "type"} == set(entry) and entry["msg"] for entry in entries)
    return [(entry["loc"], entry["type"]) for entry in entries]


def test_an_upload_is_answered_with_its_id_alone(tenant: Tenant) -> None:
    """`{"uploadId": "<uuid>"}`."""
    response = tenant.document("user-12345", {"mood": 7})
    assert response.status_code == 200
    assert list(response.json()) == ["uploadId"]
    upload_id = response.json()["uploadId"]
    assert str(UUID(upload_id)) == upload_id


def test_every_request_gets_a_new_id(tenant: Tenant) -> None:
    """Also when it states the same as another."""
    ids = {tenant.document("42", {"mood": 7}).json()["uploadId"] for _ in range(3)}
    assert len(ids) == 3
    assert tenant.user("42")["documents"] == 3


def test_an_idempotency_key_that_repeats_gets_the_first_id_again(tenant: Tenant) -> None:
    """However the same JSON is laid out; one document is stored."""
    headers = {"Idempotency-Key": "monday"}
    first = tenant.document("42", {"mood": 7, "note": "é"}, **headers)
    again = tenant.client.post(
        "/v1/user-data/mood",
        content='{ "data": {"note":"\\u00e9","mood":7}, "user":{"userLabel":"42"} }',
        headers={"x-api-key": tenant.secret, **headers},
    )
    assert (200, first.json()) == (again.status_code, again.json())
    assert tenant.user("42")["documents"] == 1


@pytest.mark.parametrize("other", [("43", {"mood": 7}), ("42", {"mood": 8})], ids=["user", "data"])
def test_an_idempotency_key_with_another_body_is_422(
    tenant: Tenant, other: tuple[str, dict[str, int]]
) -> None:
    """The first document stays; the other one is stored as a rejection."""
    upload_id = tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k"}).json()["uploadId"]
    response = tenant.document(*other, **{"Idempotency-Key": "k"})
    assert [loc for loc, _ in _locs(response)] == [["header", "idempotency-key"]]
    assert tenant.get(f"/documents/{upload_id}").json()["data"] == {"mood": 7}
    (rejection,) = tenant.rejections()
    assert other[0] == rejection.record.user_id
    assert str(other[1]["mood"]).encode() in rejection.record.raw


def test_an_idempotency_key_means_something_in_its_project_alone(tenant: Tenant) -> None:
    """A rejected upload does not use it up either."""
    headers = {"Idempotency-Key": "k"}
    assert _post(tenant, {}, **headers).status_code == 422
    first = tenant.document("42", {"mood": 7}, **headers)
    assert first.status_code == 200
    other = tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k2"})
    assert first.json() != other.json()


def test_all_problems_are_reported_at_once(tenant: Tenant) -> None:
    """One entry at each place, of type `missing`."""
    assert _locs(_post(tenant, {})) == [
        (["body", "user"], "missing"),
        (["body", "data"], "missing"),
    ]
    assert _locs(_post(tenant, {"user": {}, "data": {}})) == [
        (["body", "user", "userLabel"], "missing")
    ]
    assert [loc for loc, _ in _locs(_post(tenant, {"user": {"userLabel": "42"}, "data": []}))] == [
        ["body", "data"]
    ]


def test_malformed_json_is_json_invalid(tenant: Tenant) -> None:
    """At the body."""
    response = tenant.client.post(
        "/v1/user-data/mood", content=b'{"user":', headers={"x-api-key": tenant.secret}
    )
    ((loc, kind),) = _locs(response)
    assert (loc[0], kind) == ("body", "json_invalid")


def test_a_type_that_is_not_registered_is_422_at_its_place_in_the_path(tenant: Tenant) -> None:
    """And nothing is stored."""
    body = {"user": {"userLabel": "42"}, "data": {}}
    assert [loc for loc, _ in _locs(_post(tenant, body, "unheard-of"))] == [["path", "upload_type"]]
    assert tenant.get("/users/42").status_code == 404


def test_a_type_is_taken_as_soon_as_it_is_registered(tenant: Tenant) -> None:
    """That it was unknown before is not remembered."""
    body = {"user": {"userLabel": "42"}, "data": {}}
    assert _post(tenant, body, "sleep").status_code == 422
    tenant.type("sleep")
    assert _post(tenant, body, "sleep").status_code == 200


def test_a_violation_of_the_types_schema_is_reported_at_its_place_in_the_data(
    tenant: Tenant,
) -> None:
    """`["body", "data", ...path]`."""
    tenant.type("test", SCHEMA)
    body: dict[str, dict[str, Any]] = {"user": {"userLabel": "42"}, "data": {"score": "7"}}
    assert [loc for loc, _ in _locs(_post(tenant, body, "test"))] == [["body", "data", "score"]]
    body["data"] = {"score": 7}
    assert _post(tenant, body, "test").status_code == 200


def test_a_schema_that_changes_counts_within_seconds(tenant: Tenant) -> None:
    """While the server runs."""
    tenant.type("test")
    body = {"user": {"userLabel": "42"}, "data": {}}
    assert _post(tenant, body, "test").status_code == 200
    tenant.type("test", SCHEMA)
    until = time.monotonic() + 3
    in_a_row = 0
    while in_a_row < TURNS:
        in_a_row = in_a_row + 1 if _post(tenant, body, "test").status_code == 422 else 0
        assert time.monotonic() < until
        time.sleep(0.05)
    assert [loc for loc, _ in _locs(_post(tenant, body, "test"))] == [["body", "data"]]


def test_a_type_is_known_in_its_own_project_alone(tenant: Tenant) -> None:
    """The default project has no type of this test."""
    tenant.type("mine")
    secret = tenant.secret
    tenant.project = "default"
    tenant.secret = tenant.key()
    body = {"user": {"userLabel": "42"}, "data": {}}
    assert _post(tenant, body, "mine").status_code == 422
    tenant.secret = secret
    assert _post(tenant, body, "mine").status_code == 200


def test_a_document_with_a_repeated_member_is_rejected() -> None:
    """JSON allows a repeated member; the reason is `json_invalid`."""
    body = b'{"user": 5, "user": {"userLabel": "a"}, "data": {}}'
    submission = decode(WireRequest("r", 0, "", "", path={"upload_type": "t"}, body=body))
    assert submission.items == ()
    (rejection,) = submission.rejections
    assert [fault.code for fault in rejection.faults] == ["json_invalid"]

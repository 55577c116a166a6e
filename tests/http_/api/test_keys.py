"""API keys over the API: created, listed, changed, rotated and revoked, within what a key has."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from contract.tenant import TURNS, Tenant, new_tenant
from contract.uploads import SAMPLES_V2

pytestmark = pytest.mark.usefixtures("served_throughout")

V1 = "/uptake/v1"
SAMPLES = {"scopes": ["samples:write"]}


def call(tenant: Tenant, method: str, path: str, secret: str, body: Any = None) -> httpx2.Response:
    """Call an operation with a key."""
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.request(method, f"{V1}{path}", headers=headers, json=body)


def created(tenant: Tenant, secret: str, **members: Any) -> dict[str, Any]:
    """A key that was created over the API."""
    answer = call(tenant, "POST", "/keys", secret, {**SAMPLES, **members})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def in_days(days: int) -> str:
    """A moment."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_a_created_key_works_and_is_listed_without_its_secret(tenant: Tenant) -> None:
    """With all its properties; the secret is in the first answer alone."""
    admin, admin_id = tenant.named_key("admin")
    end = in_days(9)
    made = created(
        tenant,
        admin,
        scopes=["samples:write", "images:write", "samples:write"],
        name="Anna's phone",
        user="42",
        rates=["300/60s", "3000/1d"],
        expires_at=end,
    )
    secret = made.pop("key")
    assert SAMPLES_V2.send(tenant, secret).status_code == 200
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(end)
    assert {
        name: made[name] for name in made if name not in {"id", "created_at", "expires_at"}
    } == {
        "name": "Anna's phone",
        "project": tenant.project,
        "scopes": ["samples:write", "images:write"],
        "user": "42",
        "rates": ["300/60s", "3000/86400s"],
        "revoked_at": None,
        "last_used_at": None,
    }
    assert call(tenant, "GET", f"/keys/{made['id']}", admin).json() == made
    tenant.secret = admin
    listed = list(tenant.pages("/keys", "keys", limit=1))
    ids = [one["id"] for one in listed]
    assert ids == sorted(ids)
    assert {admin_id, made["id"]} <= set(ids)
    assert all("key" not in one for one in listed)
    assert call(tenant, "GET", "/keys?cursor=x", admin).status_code == 400


def test_a_change_replaces_the_members_that_are_sent(tenant: Tenant) -> None:
    """Null removes a name, a user or an end."""
    admin = tenant.key("admin")
    made = created(tenant, admin, name="a", user="42", rates=["5/60s"], expires_at=in_days(3))
    path = f"/keys/{made['id']}"
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"name": "b"}, {"name": "b"}),
        ({"user": None, "expires_at": None}, {"user": None, "expires_at": None}),
        ({"rates": ["1/1h"], "scopes": ["images:write"]}, {"rates": ["1/3600s"]}),
        ({"name": None, "rates": []}, {"name": None, "rates": [], "scopes": ["images:write"]}),
        ({}, {"name": None, "user": None}),
    ]
    for sent, expected in changes:
        changed = call(tenant, "PATCH", path, admin, sent).json()
        assert {name: changed[name] for name in expected} == expected
        assert call(tenant, "GET", path, admin).json() == changed
    assert SAMPLES_V2.send(tenant, made["key"]).status_code == 403


def test_a_rotated_key_has_two_secrets_until_the_overlap_is_over(tenant: Tenant) -> None:
    """On every node; the id stays. Revoking the key ends both."""
    admin = tenant.key("admin")
    made = created(tenant, admin)
    path = f"/keys/{made['id']}/rotate"
    rotated = call(tenant, "POST", path, admin, {"overlap": "1h"}).json()
    assert (rotated["id"], rotated["expires_at"]) == (made["id"], None)
    again = call(tenant, "POST", path, admin).json()
    assert len({made["key"], rotated["key"], again["key"]}) == 3
    for secret in (made["key"], rotated["key"], again["key"]):
        assert SAMPLES_V2.send(tenant, secret).status_code == 200
    ended = call(tenant, "POST", path, admin, {"overlap": "0s"}).json()
    _wait_until_rejected(tenant, again["key"])
    for secret in (made["key"], rotated["key"], ended["key"]):
        assert SAMPLES_V2.send(tenant, secret).status_code == 200
    revoked = call(tenant, "DELETE", f"/keys/{made['id']}", admin).json()
    assert revoked["revoked_at"] is not None
    for secret in (made["key"], rotated["key"], ended["key"]):
        _wait_until_rejected(tenant, secret)
    again = call(tenant, "DELETE", f"/keys/{made['id']}", admin).json()
    # Uses are recorded some time after them.
    assert {**again, "last_used_at": None} == {**revoked, "last_used_at": None}
    assert "was revoked" in call(tenant, "POST", path, admin).json()["detail"]


def _wait_until_rejected(tenant: Tenant, secret: str) -> None:
    """Every process of every node rejects the secret; each may have cached it for a second."""
    in_a_row = 0
    while in_a_row < TURNS:
        in_a_row = in_a_row + 1 if SAMPLES_V2.send(tenant, secret).status_code == 401 else 0


INVALID: list[tuple[dict[str, Any], str]] = [
    ({}, "scopes"),
    ({"scopes": []}, "scopes: must not be empty"),
    ({"scopes": ["samples"]}, "scopes: must be among user-data:write"),
    ({"scopes": "admin"}, "Expected `array`"),
    ({**SAMPLES, "name": ""}, "name: must have 1 to 100 characters"),
    ({**SAMPLES, "name": "n" * 101}, "name: must have 1 to 100 characters"),
    ({**SAMPLES, "name": "a\0"}, "name: must not contain control characters"),
    ({**SAMPLES, "user": ""}, "user: must not be empty"),
    ({**SAMPLES, "user": "a\0"}, "user: must not contain a NUL character"),
    ({**SAMPLES, "rates": ["fast"]}, "rates: must be REQUESTS/DURATION"),
    ({**SAMPLES, "rates": ["1/60s", "2/1m"]}, "rates: must have different durations"),
    ({**SAMPLES, "rates": [f"9/{n}s" for n in range(1, 6)]}, "rates: must be at most 4"),
    ({**SAMPLES, "expires_at": "soon"}, "expires_at: 'soon' is not an ISO 8601 timestamp"),
    ({**SAMPLES, "expires_at": "2001-01-01"}, "expires_at: must be in the future"),
    ({**SAMPLES, "expires": "90d"}, "unknown field `expires`"),
]


def test_invalid_properties_are_400_with_their_name(tenant: Tenant) -> None:
    """And no key is created; so are the overlap of a rotation, and a body that is not JSON."""
    admin, admin_id = tenant.named_key("admin")
    for body, reason in INVALID:
        answer = call(tenant, "POST", "/keys", admin, body)
        assert (answer.status_code, reason in answer.json()["detail"]) == (400, True), body
        if "scopes" in body:
            assert call(tenant, "PATCH", f"/keys/{admin_id}", admin, body).status_code == 400, body
    for overlap in ("soon", "91d", "", "-1s"):
        answer = call(tenant, "POST", f"/keys/{admin_id}/rotate", admin, {"overlap": overlap})
        assert (answer.status_code, "overlap: " in answer.json()["detail"]) == (400, True)
    headers = {"Authorization": f"Bearer {admin}"}
    broken = tenant.client.post(f"{V1}/keys", headers=headers, content=b"{")
    assert broken.status_code == 400
    assert {one.id for one in tenant.store.keys_after(tenant.project, admin_id, 9)} == set()


def test_an_unknown_key_is_404(tenant: Tenant) -> None:
    """Of any spelling, for every operation on one key."""
    admin = tenant.key("admin")
    for key_id in ("unknown", "%00", "a%2Fb", "x" * 200):
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "a"}),
            ("DELETE", "", None),
            ("POST", "/rotate", None),
        ):
            answer = call(tenant, method, f"/keys/{key_id}{path}", admin, body)
            assert answer.status_code == 404, (method, key_id)


def test_an_admin_manages_the_keys_of_its_project_alone(tenant: Tenant) -> None:
    """Keys of another project are 404, and the project itself is 403."""
    stranger = new_tenant(tenant.client, tenant.store)
    admin, (_, other_id) = tenant.key("admin"), stranger.named_key("data:read")
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
    ):
        assert call(tenant, method, f"/keys/{other_id}{path}", admin, body).status_code == 404
    there = {**SAMPLES, "project": stranger.project}
    assert call(tenant, "POST", "/keys", admin, there).status_code == 403
    assert call(tenant, "GET", f"/keys?project={stranger.project}", admin).status_code == 403
    assert {one["project"] for one in call(tenant, "GET", "/keys", admin).json()["keys"]} == {
        tenant.project
    }
    assert call(tenant, "GET", f"/keys?project={tenant.project}", admin).status_code == 200


def test_an_operator_manages_the_keys_of_all_projects(tenant: Tenant) -> None:
    """Also admins of other projects; an unknown project is 404."""
    stranger = new_tenant(tenant.client, tenant.store)
    operator, operator_id = tenant.named_key("operator")
    made = created(tenant, operator, scopes=["admin", "samples:write"], project=stranger.project)
    assert made["project"] == stranger.project
    path = f"/keys?project={stranger.project}"
    assert made["id"] in [one["id"] for one in call(tenant, "GET", path, operator).json()["keys"]]
    tenant.secret = operator
    found = {one["id"]: one["project"] for one in tenant.pages("/keys", "keys", limit=1000)}
    assert found[operator_id] == tenant.project
    assert found[made["id"]] == stranger.project
    assert call(tenant, "PATCH", f"/keys/{made['id']}", operator, {"name": "a"}).status_code == 200
    assert call(tenant, "POST", f"/keys/{made['id']}/rotate", operator).status_code == 200
    assert call(tenant, "DELETE", f"/keys/{made['id']}", operator).status_code == 200
    unknown = call(tenant, "POST", "/keys", operator, {**SAMPLES, "project": "unknown"})
    assert unknown.status_code == 404
    assert call(tenant, "GET", "/keys?project=%00", operator).status_code == 404


def test_a_key_gives_no_more_than_it_has(tenant: Tenant) -> None:
    """Neither a scope nor a later end, to a new key, by a change or by a rotation."""
    admin, admin_id = tenant.named_key("admin")
    brief, brief_id = tenant.named_key("admin", "data:read", seconds=3600)
    _, reader_id = tenant.named_key("data:read", user="42")
    _, operator_id = tenant.named_key("operator", "admin")
    _, endless_id = tenant.named_key("samples:write")
    forbidden: list[tuple[str, str, str, Any]] = [
        (admin, "POST", "/keys", {"scopes": ["operator"]}),
        (admin, "POST", "/keys", {"scopes": ["data:read"]}),
        (admin, "POST", "/keys", {"scopes": ["samples:write", "data:erase"]}),
        (admin, "PATCH", f"/keys/{admin_id}", {"scopes": ["admin", "operator"]}),
        (admin, "PATCH", f"/keys/{admin_id}", {"rates": ["9/60s"]}),
        (admin, "PATCH", f"/keys/{reader_id}", {"user": None}),
        (admin, "POST", f"/keys/{reader_id}/rotate", None),
        (admin, "POST", f"/keys/{operator_id}/rotate", None),
        (admin, "PATCH", f"/keys/{operator_id}", {"scopes": ["admin"]}),
        (admin, "DELETE", f"/keys/{operator_id}", None),
        (brief, "POST", "/keys", {**SAMPLES, "expires_at": in_days(1)}),
        (brief, "POST", "/keys", {**SAMPLES, "expires_at": None}),
        (brief, "PATCH", f"/keys/{brief_id}", {"expires_at": None}),
        (brief, "POST", f"/keys/{endless_id}/rotate", None),
    ]
    for secret, method, path, body in forbidden:
        assert call(tenant, method, path, secret, body).status_code == 403, (method, path, body)
    # What a key may do although it could not create these keys.
    assert call(tenant, "PATCH", f"/keys/{reader_id}", admin, {"name": "a"}).status_code == 200
    assert call(tenant, "DELETE", f"/keys/{reader_id}", admin).status_code == 200
    made = created(tenant, brief, scopes=["data:read", "samples:write"])
    own_end = call(tenant, "GET", f"/keys/{brief_id}", brief).json()["expires_at"]
    assert made["expires_at"] == own_end


def test_a_replaced_secret_does_not_outlive_its_overlap(tenant: Tenant) -> None:
    """It cannot give itself a new secret."""
    admin, admin_id = tenant.named_key("admin")
    assert call(tenant, "POST", f"/keys/{admin_id}/rotate", admin).status_code == 200
    in_a_row = 0
    while in_a_row < TURNS:
        answer = call(tenant, "POST", "/keys", admin, {**SAMPLES, "expires_at": None})
        in_a_row = in_a_row + 1 if answer.status_code == 403 else 0
    assert call(tenant, "POST", f"/keys/{admin_id}/rotate", admin).status_code == 403
    assert created(tenant, admin)["expires_at"] is not None

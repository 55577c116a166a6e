"""The audit log over the API: who changed or exported what."""

from typing import Any

import msgspec
import pytest

from contract.tenant import Tenant, new_tenant, sample
from uptake.testing.live import ALL_WRITES

from .test_keys import call

V1 = "/uptake/v1"
USER = "patient-4711"
SEGMENT = {"attribute": "plan", "op": "eq", "value": "pro"}


def entries(tenant: Tenant, secret: str, query: str = "") -> list[dict[str, Any]]:
    """The entries of the log, the latest first."""
    return list(call(tenant, "GET", f"/audit?{query}", secret).json()["entries"])


def test_every_change_and_export_has_an_entry(tenant: Tenant) -> None:
    """With the key, the address and what was done; a user is only a hash."""
    scopes = ("admin", "data:read", "data:erase", *ALL_WRITES)
    tenant.secret, admin_id = tenant.named_key(*scopes)
    assert tenant.profiles(["user_id", "plan"], [USER, "pro"]).status_code == 200
    assert tenant.steps(USER, sample(0, value=0), sample(1), sample(2)).status_code == 207
    (rejection,) = tenant.get("/rejections").json()["rejections"]
    upload_id = tenant.document(USER, {"mood": 1}).json()["uploadId"]
    made = call(tenant, "POST", "/keys", tenant.secret, {"scopes": ["admin"], "user": USER}).json()
    key, rules = made["id"], {"rules": [{"kind": "images", "days": 9}]}
    replayed = {**sample(0), "value": 9}
    steps: list[tuple[str, str, Any, str, str | None]] = [
        ("PATCH", f"/keys/{key}", {"name": "a"}, "key.change", key),
        ("POST", f"/keys/{key}/rotate", None, "key.rotate", key),
        ("DELETE", f"/keys/{key}", None, "key.revoke", key),
        ("PUT", "/document-types/visit", {"type": "object"}, "document_type.put", "visit"),
        ("PUT", "/segments/pros", SEGMENT, "segment.put", "pros"),
        ("GET", f"/exports/users?format=ndjson&user={USER}", None, "export", "user"),
        ("GET", "/exports/samples?format=csv&segment=pros", None, "export", None),
        ("GET", f"/users/{USER}/archive", None, "export", "user"),
        ("DELETE", "/segments/pros", None, "segment.delete", "pros"),
        ("PUT", "/retention", rules, "retention.replace", None),
        (
            "POST",
            f"/rejections/{rejection['rejection_id']}/replay",
            replayed,
            "rejection.replay",
            rejection["rejection_id"],
        ),
        ("DELETE", f"/documents/{upload_id}", None, "document.delete", upload_id),
        (
            "DELETE",
            f"/users/{USER}/samples?metric=steps&from=2000-01-01&to=2100-01-01",
            None,
            "samples.delete",
            "user",
        ),
        ("DELETE", f"/users/{USER}", None, "user.erase", "user"),
        ("PUT", f"/users/{USER}/consent?after_erasure=true", None, "user.readmit", "user"),
    ]
    for method, path, body, *_ in steps:
        answer = call(tenant, method, path, tenant.secret, body)
        assert answer.status_code in {200, 204}, (method, path, answer.text)
    found = entries(tenant, tenant.secret)[::-1]
    user = tenant.store.user_hash(USER)
    expected = [("key.create", key), *((action, target) for *_, action, target in steps)]
    assert [(one["action"], one["target"]) for one in found] == [
        (action, user if target == "user" else target) for action, target in expected
    ]
    for one in found:
        assert (one["actor"], one["project"]) == (admin_id, tenant.project)
        assert one["address"] == "127.0.0.1"
    assert USER not in msgspec.json.encode(found).decode()
    assert found[0]["details"] == {"scopes": ["admin"]}


def test_what_only_reads_or_fails_has_no_entry(tenant: Tenant) -> None:
    """Lists, HEAD, previews, and requests that are rejected."""
    secret = tenant.key("admin", "data:read", "data:erase")
    for method, path, body in (
        ("GET", "/keys", None),
        ("GET", "/users", None),
        ("HEAD", "/exports/users", None),
        ("GET", "/exports/users?user=unknown", None),
        ("POST", "/retention/preview", {"rules": []}),
        ("POST", "/keys", {"scopes": ["operator"]}),
        ("DELETE", "/segments/unknown", None),
        ("POST", "/rejections/unknown/replay", None),
        ("PUT", "/users/unknown/consent?after_erasure=true", None),
        ("GET", "/audit", None),
    ):
        call(tenant, method, path, secret, body)
    assert entries(tenant, secret) == []


def test_entries_are_filtered_and_paged(tenant: Tenant) -> None:
    """By actor, action and time; an admin sees its own project alone, an operator all of them."""
    admin, admin_id = tenant.named_key("admin")
    other, other_id = tenant.named_key("admin")
    stranger = new_tenant(tenant.client, tenant.store)
    operator, operator_id = tenant.named_key("operator", "admin")
    body = {"scopes": ["samples:write"]}
    made = [
        call(tenant, "POST", "/keys", secret, body).json()["id"] for secret in (admin, other, admin)
    ]
    call(tenant, "DELETE", f"/keys/{made[0]}", other)
    there = call(tenant, "POST", "/keys", operator, {**body, "project": stranger.project}).json()
    revoked, third, second, first = entries(tenant, admin)
    assert [one["target"] for one in (first, second, third)] == made
    assert entries(tenant, admin, f"actor={admin_id}") == [third, first]
    assert entries(tenant, admin, "action=key.revoke") == [revoked]
    assert entries(tenant, admin, f"actor={other_id}&action=key.create") == [second]
    assert entries(tenant, admin, f"from={third['time']}") == [revoked, third]
    assert entries(tenant, admin, f"to={third['time']}") == [second, first]
    tenant.secret = admin
    assert list(tenant.pages("/audit", "entries", limit=1)) == [revoked, third, second, first]
    assert call(tenant, "GET", f"/audit?project={stranger.project}", admin).status_code == 403
    assert call(tenant, "GET", "/audit?actor=%00", admin).status_code == 400
    (elsewhere,) = entries(tenant, operator, f"project={stranger.project}")
    assert (elsewhere["actor"], elsewhere["target"]) == (operator_id, there["id"])
    everywhere = entries(tenant, operator, "limit=100")
    assert next(one for one in everywhere if one["project"] == stranger.project) == elsewhere
    by_number = {one["sequence"]: one for one in everywhere}
    assert elsewhere["previous"] == by_number[elsewhere["sequence"] - 1]["hash"]


@pytest.mark.parametrize("path", ["/audit?from=soon", "/audit?cursor=x", "/audit?limit=0"])
def test_an_invalid_parameter_is_400(tenant: Tenant, path: str) -> None:
    """As of every list."""
    assert call(tenant, "GET", path, tenant.key("admin")).status_code == 400

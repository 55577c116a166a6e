"""Keys that are bound to a user replay and repeat only what is about this user."""

import time
from typing import Any

import httpx2
import msgspec
import pytest

from contract.tenant import Tenant, sample
from contract.uploads import UPLOADS, Upload
from uptake.intake.schemas import TRUST_SECONDS, register

from .test_access import MOOD, OWNER, STRANGER, V1

pytestmark = pytest.mark.usefixtures("served_throughout")


def _rejection(tenant: Tenant, user_id: str) -> str:
    (found,) = tenant.get("/rejections", params={"user": user_id}).json()["rejections"]
    return str(found["rejection_id"])


def _replay(tenant: Tenant, secret: str, rejection_id: str, body: Any) -> httpx2.Response:
    return tenant.client.post(
        f"{V1}/rejections/{rejection_id}/replay",
        headers={"Authorization": f"Bearer {secret}"},
        content=msgspec.json.encode(body),
    )


CORRECTED: list[tuple[Upload, Any, Any]] = [
    (
        upload,
        {"user_id": OWNER, "data_type": "steps", "data": []},
        {
            "user_id": STRANGER,
            "data_type": "steps",
            "data": [sample(0), sample(1), sample(2)],
        },
    )
    for upload in UPLOADS
    if upload.name == "gerosense-v2.2"
] + [
    (
        upload,
        {"user": {"userLabel": OWNER}, "data": []},
        {"user": {"userLabel": STRANGER}, "data": {}},
    )
    for upload in UPLOADS
    if upload.name == "thymia"
]


@pytest.mark.parametrize(("upload", "broken", "corrected"), CORRECTED, ids=["gerosense", "thymia"])
def test_a_bound_key_replays_nothing_about_anybody_else(
    tenant: Tenant, upload: Upload, broken: Any, corrected: Any
) -> None:
    """A body that takes the place of its own rejected request may not name another user."""
    upload.send(tenant, tenant.secret, msgspec.json.encode(broken))
    rejection_id = _rejection(tenant, OWNER)
    bound = tenant.key("admin", user=OWNER)
    assert _replay(tenant, bound, rejection_id, corrected).status_code == 403
    assert tenant.get(f"/users/{STRANGER}").status_code == 404
    assert _replay(tenant, tenant.key("admin"), rejection_id, corrected).json()["outcome"] == (
        "accepted"
    )


def test_a_bound_key_replays_its_own_rejections(tenant: Tenant) -> None:
    """One by one, and all at once; those of others stay open."""
    register(tenant.store, tenant.project, "mood", '{"required": ["mood"]}')
    for user in (OWNER, STRANGER):
        assert tenant.document(user, {"wrong": 1}).status_code == 422
    register(tenant.store, tenant.project, "mood", "{}")
    bound = {"Authorization": f"Bearer {tenant.key('admin', user=OWNER)}"}
    path = f"{V1}/rejections/replay"
    assert tenant.client.post(f"{path}?user={STRANGER}", headers=bound).status_code == 403
    time.sleep(TRUST_SECONDS)
    replays = tenant.client.post(path, headers=bound).json()["replays"]
    assert [replay["outcome"] for replay in replays] == ["accepted"]
    assert tenant.get(f"/users/{STRANGER}").status_code == 404
    assert tenant.user(OWNER)["documents"] == 1


def test_an_idempotency_key_belongs_to_the_user_that_the_key_is_bound_to(tenant: Tenant) -> None:
    """A device that guesses another's does not make the rightful upload fail."""
    for user in (OWNER, STRANGER):
        secret = tenant.key("user-data:write", user=user)
        headers = {"x-api-key": secret, "Idempotency-Key": "order-1001"}
        body = {"user": {"userLabel": user}, "data": {"of": user}}
        first = tenant.client.post(MOOD, json=body, headers=headers)
        again = tenant.client.post(MOOD, json=body, headers=headers)
        assert first.status_code == 200
        assert first.json() == again.json()
    ours = tenant.document(OWNER, {"mood": 1}, **{"Idempotency-Key": "order-1001"})
    assert ours.status_code == 200
    assert tenant.user(OWNER)["documents"] == 2
    other = tenant.document(STRANGER, {"mood": 2}, **{"Idempotency-Key": "order-1001"})
    assert other.status_code == 422

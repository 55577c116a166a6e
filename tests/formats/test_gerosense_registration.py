"""Gerosense: users are registered before their samples, where a project requires it."""

import time
from typing import Any

import httpx2
import msgspec
import pytest

from contract.tenant import TURNS, Tenant, sample
from contract.uploads import SAMPLES_V1, SAMPLES_V2, check_gerosense
from uptake.model import clock

USER = {"biological_sex": "Female", "year_of_birth": 1985}
ATTRIBUTES = {"biological_sex": "Female", "year_of_birth": "1985"}
PATIENCE_SECONDS = 20.0


def _send(tenant: Tenant, path: str, secret: str, body: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.post(path, headers=headers, content=msgspec.json.encode(body))


def _register(tenant: Tenant, user_id: str, **changes: Any) -> httpx2.Response:
    body = {"id": user_id, **USER, **changes}
    return _send(tenant, "/api/v2.2/user", tenant.key("samples:write"), body)


def _require_registration(tenant: Tenant) -> None:
    """Require it, and wait until every process does."""
    assert tenant.store.require_registration(tenant.project, required=True)
    until, in_a_row = time.monotonic() + PATIENCE_SECONDS, 0
    while in_a_row < TURNS:
        assert time.monotonic() < until
        answer = tenant.steps(f"probe-{clock.now()}", *map(sample, range(3)))
        in_a_row = in_a_row + 1 if answer.status_code == 404 else 0


def test_registration_sets_two_attributes_and_may_be_repeated(tenant: Tenant) -> None:
    """The last one wins; other attributes stay."""
    tenant.profiles(["user_id", "plan"], ["42", "plus"])
    for _ in range(2):
        answer = _register(tenant, "42")
        assert (answer.status_code, answer.json()) == (200, {"id": "42", **USER})
    assert answer.headers["x-uptake-duplicates"] == "1"
    assert tenant.user("42")["attributes"] == {"plan": "plus", **ATTRIBUTES}
    assert _register(tenant, "42", biological_sex="Male").status_code == 200
    assert tenant.user("42")["attributes"]["biological_sex"] == "Male"


def test_the_user_of_v1_is_that_of_the_key(tenant: Tenant) -> None:
    """A key without a user is 403, and so is a bound key for another user in v2.2."""
    bound = tenant.key("samples:write", user="42")
    answer = _send(tenant, "/api/v1.1/user", bound, {"id": "43", **USER})
    assert answer.json() == {"id": "42", **USER}
    assert tenant.user("42")["attributes"] == ATTRIBUTES
    denied = [
        _send(tenant, "/api/v1.1/user", tenant.key("samples:write"), USER),
        _send(tenant, "/api/v2.2/user", bound, {"id": "43", **USER}),
        _send(tenant, "/api/v2.2/user", tenant.key("profiles:write"), {"id": "43", **USER}),
    ]
    for one in denied:
        assert one.status_code == 403
        check_gerosense(403, one.json())
    assert tenant.get("/users/43").status_code == 404


def test_a_rejected_registration_is_listed_under_its_user(tenant: Tenant) -> None:
    """With every fault, and can be replayed with a correction."""
    answer = _register(tenant, "42", biological_sex="", year_of_birth=1812)
    assert answer.status_code == 400
    codes = [(one["field"], one["code"]) for one in answer.json()["errors"]]
    assert codes == [
        ("biological_sex", "unknown_biological_sex"),
        ("year_of_birth", "below_limit"),
    ]
    (rejection,) = tenant.get("/rejections", params={"user": "42"}).json()["rejections"]
    path = f"/uptake/v1/rejections/{rejection['rejection_id']}/replay"
    replayed = _send(tenant, path, tenant.key("admin"), {"id": "42", **USER})
    assert replayed.json()["outcome"] == "accepted"
    assert tenant.user("42")["attributes"] == ATTRIBUTES


def test_samples_of_unknown_users_are_404_where_registration_is_required(tenant: Tenant) -> None:
    """Nothing is stored of them. Samples of registered users and other uploads are accepted."""
    _require_registration(tenant)
    for upload in (SAMPLES_V1, SAMPLES_V2):
        upload.check(404, upload.send(tenant, upload.key(tenant)))
    bad = [sample(index, value=0) for index in range(3)]
    assert tenant.steps("42", *bad).status_code == 404
    assert tenant.get("/users/42").status_code == 404
    assert tenant.get("/rejections", params={"user": "42"}).json()["rejections"] == []
    assert _register(tenant, "42").status_code == 200
    for upload in (SAMPLES_V1, SAMPLES_V2):
        assert upload.send(tenant, upload.key(tenant)).status_code == 200
    tenant.profiles(["user_id", "plan"], ["43", "plus"])
    assert tenant.steps("43", *map(sample, range(3))).status_code == 200
    assert tenant.steps("42", *bad).status_code == 400


@pytest.mark.parametrize("version", ["v1.1", "v2.2"])
def test_results_are_not_calculated(tenant: Tenant, version: str) -> None:
    """404 in the vendor's form, for a user with samples too."""
    assert tenant.steps("42", *map(sample, range(3))).status_code == 200
    bound = version == "v1.1"
    headers = {"Authorization": f"Bearer {tenant.key(user='42' if bound else None)}"}
    query = {"model_type": "steps", "device_name": "iphone"} | ({} if bound else {"user_id": "42"})
    base = f"/api/{version}"
    answers = [
        tenant.client.get(f"{base}/bioage", params=query, headers=headers),
        tenant.client.get(f"{base}/resilience", params=query, headers=headers),
        tenant.client.post(f"{base}/bioage/calculate", json=query, headers=headers),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_calculated")
        check_gerosense(404, answer.json())
    other = tenant.client.get(f"{base}/bioage?user_id=43", headers=headers)
    assert other.status_code == 404
    bound_key = {"Authorization": f"Bearer {tenant.key(user='42')}"}
    denied = tenant.client.get("/api/v2.2/bioage?user_id=43", headers=bound_key)
    assert denied.status_code == 403

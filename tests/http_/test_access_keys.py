"""Keys: where they stand, what they permit, when they end, how often they may be used."""

import time

import pytest

from contract.tenant import EVERYTHING, TURNS, Tenant
from contract.uploads import PLACES, SAMPLES_V1, SAMPLES_V2, THYMIA, UPLOADS, Upload
from deployments import Deployment
from uptake.model import clock
from uptake.store.definitions import Rate

NEVER_AGAIN = Rate(requests=1, seconds=3_000_000_000)
"""One use in a window of a hundred years, so that no window ends while a test runs."""

REVOKED_WITHIN = 2.0
WRONG_PLACES = [
    (upload, place)
    for upload in UPLOADS
    for place in PLACES
    if place != upload.place and not {place, upload.place} <= {"apiKey", "api-key"}
]


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
@pytest.mark.parametrize("secret", ["", "unknown", "up_" + "x" * 32, "x" * 5000])
def test_no_key_or_an_unknown_one_is_401(tenant: Tenant, upload: Upload, secret: str) -> None:
    """In the vendor's envelope."""
    upload.check(401, upload.send(tenant, secret))


@pytest.mark.parametrize(("upload", "place"), WRONG_PLACES)
def test_a_key_counts_only_where_its_vendor_documents_it(
    tenant: Tenant, upload: Upload, place: str
) -> None:
    """A sound key in another vendor's place is no key."""
    upload.check(401, upload.send(tenant, upload.key(tenant), place=place))


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_a_key_without_the_scope_is_403(tenant: Tenant, upload: Upload) -> None:
    """However many other scopes it has."""
    others = {*EVERYTHING, "data:erase", "admin"} - {upload.scope}
    key = tenant.key(*others, user="42" if upload.bound else None)
    upload.check(403, upload.send(tenant, key))


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_an_expired_key_is_401(tenant: Tenant, upload: Upload) -> None:
    """From the moment on at which it expires."""
    upload.check(401, upload.send(tenant, upload.key(tenant, seconds=-1)))


def test_a_key_expires_while_it_is_in_use(tenant: Tenant) -> None:
    """It works until then."""
    key = THYMIA.key(tenant, seconds=1)
    assert THYMIA.send(tenant, key).status_code == 200
    time.sleep(1.05)
    THYMIA.check(401, THYMIA.send(tenant, key))


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_a_key_that_was_revoked_before_its_first_use_is_401(tenant: Tenant, upload: Upload) -> None:
    """In the vendor's envelope."""
    secret, key_id = tenant.named_key(upload.scope, user="42" if upload.bound else None)
    tenant.store.revoke_key(key_id, clock.now())
    upload.check(401, upload.send(tenant, secret))


def test_a_key_in_use_ends_within_two_seconds_of_its_revocation(
    deployment: Deployment, tenant: Tenant
) -> None:
    """Revoked from the command line, beside the server."""
    secret, key_id = tenant.named_key("samples:write")
    assert SAMPLES_V2.send(tenant, secret).status_code == 200
    deployment.command("keys", "revoke", key_id)
    revoked_at = time.monotonic()
    in_a_row = 0
    while in_a_row < TURNS:
        answer = SAMPLES_V2.send(tenant, secret)
        in_a_row = in_a_row + 1 if answer.status_code == 401 else 0
        assert time.monotonic() - revoked_at < REVOKED_WITHIN
        time.sleep(0.05)
    SAMPLES_V2.check(401, answer)


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
@pytest.mark.parametrize("content", [b"?", b"x" * (21 * 1024 * 1024)], ids=["broken", "huge"])
def test_the_key_is_validated_before_the_body(
    tenant: Tenant, upload: Upload, content: bytes
) -> None:
    """A body that would be 400, 413 or 422 is 401 or 403 with a wrong key."""
    upload.check(401, upload.send(tenant, "unknown", content))
    upload.check(403, upload.send(tenant, tenant.key("data:read"), content))
    assert tenant.rejections() == []


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_over_its_rate_a_key_is_429(tenant: Tenant, upload: Upload) -> None:
    """In the vendor's envelope, with the seconds to wait; another key is not held up."""
    key = upload.key(tenant, rate=NEVER_AGAIN)
    assert upload.send(tenant, key).status_code == 200
    response = upload.send(tenant, key)
    upload.check(429, response)
    assert int(response.headers["retry-after"]) >= 1
    assert upload.send(tenant, upload.key(tenant)).status_code == 200


def test_a_key_made_with_a_rate_is_held_to_it(deployment: Deployment, tenant: Tenant) -> None:
    """`--rate`, from the command line; the product's own API shows it as a problem."""
    made = deployment.command("keys", "create", "--scope", "data:read", "--rate", "2/5000w")
    answers = [tenant.get("/users/unknown", made["key"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert int(answers[2].headers["retry-after"]) >= 1
    assert answers[2].headers["content-type"] == "application/problem+json"


def test_a_key_may_go_on_after_retry_after(tenant: Tenant) -> None:
    """The seconds that are reported are enough."""
    key = tenant.key("data:read", rate=Rate(requests=1, seconds=1))
    while (response := tenant.get("/users/unknown", key)).status_code != 429:
        assert response.status_code == 404
    time.sleep(int(response.headers["retry-after"]))
    assert tenant.get("/users/unknown", key).status_code == 404


def test_without_a_rate_there_is_none(tenant: Tenant) -> None:
    """None unless given."""
    statuses = {tenant.get("/users/unknown").status_code for _ in range(100)}
    assert {404} == statuses


def test_an_unbound_key_is_403_where_the_user_comes_from_the_key(tenant: Tenant) -> None:
    """v1.1 needs a key that is bound to a user."""
    SAMPLES_V1.check(403, SAMPLES_V1.send(tenant, tenant.key("samples:write")))


@pytest.mark.parametrize("upload", [upload for upload in UPLOADS if not upload.bound], ids=str)
def test_a_bound_key_speaks_for_its_user_alone(tenant: Tenant, upload: Upload) -> None:
    """The bodies of these tests are about the user "42"."""
    assert upload.send(tenant, tenant.key(upload.scope, user="42")).status_code == 200
    upload.check(403, upload.send(tenant, tenant.key(upload.scope, user="43")))


@pytest.mark.parametrize("authorization", ["bearer {}", "BEARER {}", "Bearer  {}"])
def test_the_scheme_of_a_bearer_key_is_in_any_case(tenant: Tenant, authorization: str) -> None:
    """RFC 9110: names of schemes do not depend on case."""
    headers = {"Authorization": authorization.format(tenant.secret)}
    response = tenant.client.get("/uptake/v1/users/unknown", headers=headers)
    assert response.status_code == 404


@pytest.mark.parametrize("authorization", ["Basic {}", "{}", "Bearer", "Bearer {} x", "Token {}"])
def test_another_scheme_carries_no_key(tenant: Tenant, authorization: str) -> None:
    """Only `Authorization: Bearer KEY`."""
    headers = {"Authorization": authorization.format(tenant.secret)}
    response = tenant.client.get("/uptake/v1/users/unknown", headers=headers)
    assert response.status_code == 401

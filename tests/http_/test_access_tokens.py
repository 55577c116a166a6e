"""Access tokens: they serve as the API key for a day at most, and end with it."""

import time
from typing import Any

import httpx2
import pytest

from contract.tenant import TURNS, Tenant
from contract.uploads import SAMPLES_V1, SAMPLES_V2, UPLOADS, check_gerosense
from deployments import Deployment
from uptake.http.access_tokens import LIFE_SECONDS, AccessTokens
from uptake.model import clock, ids
from uptake.store.definitions import Key, Rate

LOGIN = "/api/v1.0/login/access-token"
TEST = "/api/v1.0/login/test-token"
SECOND = 1_000_000
REVOKED_WITHIN = 2.0


def _log_in(tenant: Tenant, key_id: str, secret: str) -> httpx2.Response:
    return tenant.client.post(LOGIN, data={"username": key_id, "password": secret})


def _token(tenant: Tenant, *scopes: str, **options: Any) -> tuple[str, str]:
    """A new token, and the id of its key."""
    secret, key_id = tenant.named_key(*scopes, **options)
    answer = _log_in(tenant, key_id, secret)
    assert answer.status_code == 200
    return answer.json()["access_token"], key_id


def _test(tenant: Tenant, token: str) -> httpx2.Response:
    return tenant.client.post(TEST, headers={"Authorization": f"Bearer {token}"})


def _expired(tenant: Tenant, secret: str) -> str:
    """A token that was issued a day ago."""
    digest = ids.key_digest(secret)
    key = Key("k", digest, tenant.project, (), 0)
    a_day_ago = clock.now() - LIFE_SECONDS * SECOND
    return AccessTokens(tenant.store.secrets()).issue(key, a_day_ago)


def test_a_token_serves_as_its_key_at_every_upload(tenant: Tenant) -> None:
    """In the place of each vendor, for the user of the key; and for reads."""
    token, _ = _token(tenant, user="42")
    for upload in UPLOADS:
        assert upload.send(tenant, token).status_code == 200
    assert tenant.get("/users/42", token).status_code == 200
    assert tenant.get("/users/43", token).status_code == 403
    assert SAMPLES_V2.send(tenant, _token(tenant, "data:read")[0]).status_code == 403


def test_a_token_has_the_user_and_scopes_of_its_key(tenant: Tenant) -> None:
    """The same as the key does."""
    token, _ = _token(tenant, "samples:write", user="42")
    key = tenant.key("samples:write", "data:read")
    assert _test(tenant, token).json() == {"user": "42", "scopes": ["samples:write"]}
    assert _test(tenant, key).json() == {"user": None, "scopes": ["samples:write", "data:read"]}


def test_a_wrong_pair_is_401(tenant: Tenant) -> None:
    """Also that of a revoked or expired key, and a token in place of the key."""
    secret, key_id = tenant.named_key("samples:write")
    _, other_id = tenant.named_key("samples:write")
    expired, expired_id = tenant.named_key("samples:write", seconds=-1)
    revoked, revoked_id = tenant.named_key("samples:write")
    tenant.store.revoke_key(revoked_id, clock.now())
    token = _log_in(tenant, key_id, secret).json()["access_token"]
    pairs = [
        *((key_id, "up_x"), (other_id, secret), (key_id, "\0")),
        *((expired_id, expired), (revoked_id, revoked), (key_id, token)),
    ]
    for name, password in pairs:
        answer = _log_in(tenant, name, password)
        assert answer.status_code == 401
        check_gerosense(401, answer.json())
        assert answer.headers["www-authenticate"] == "Bearer"


def test_an_expired_token_is_403(tenant: Tenant) -> None:
    """On samples and on the login route, as the vendor documents it."""
    secret = tenant.key(user="42")
    for upload in (SAMPLES_V1, SAMPLES_V2):
        upload.check(403, upload.send(tenant, _expired(tenant, secret)))
    answer = _test(tenant, _expired(tenant, secret))
    assert (answer.status_code, answer.json()["code"]) == (403, "token_expired")


@pytest.mark.parametrize("change", [-1, 3, 40])
def test_a_changed_token_is_401(tenant: Tenant, change: int) -> None:
    """Whichever part of it changes; and what is no token at all."""
    token, _ = _token(tenant)
    changed = list(token)
    changed[change] = "A" if changed[change] != "A" else "B"
    if change == -1:
        changed[-2] = "A" if changed[-2] != "A" else "B"
    for wrong in ("".join(changed), "upt_", "upt_%", "upt_" + "A" * 75, token[:-4], token + "AAAA"):
        assert _test(tenant, wrong).status_code == 401
        SAMPLES_V2.check(401, SAMPLES_V2.send(tenant, wrong))


def test_a_token_ends_no_later_than_its_key(tenant: Tenant) -> None:
    """With a key that expires."""
    tokens = AccessTokens(tenant.store.secrets())
    before = clock.now()
    token, _ = _token(tenant, "samples:write", seconds=60)
    issued = tokens.read(token)
    assert issued is not None
    assert before + 60 * SECOND <= issued.expires_at <= clock.now() + 60 * SECOND
    assert _test(tenant, token).status_code == 200
    digest = ids.key_digest(tenant.key("samples:write"))
    expired = Key("k", digest, tenant.project, (), 0, expires_at=before)
    assert _test(tenant, tokens.issue(expired, before)).status_code == 403


def test_a_token_ends_with_the_revocation_of_its_key(tenant: Tenant) -> None:
    """Within two seconds, on every process."""
    token, key_id = _token(tenant, "samples:write")
    assert _test(tenant, token).status_code == 200
    tenant.store.revoke_key(key_id, clock.now())
    until, in_a_row = time.monotonic() + REVOKED_WITHIN, 0
    while in_a_row < TURNS:
        sent = time.monotonic()
        in_a_row = in_a_row + 1 if _test(tenant, token).status_code == 401 else 0
        # What is sent later is rejected, however long the answer takes.
        assert in_a_row or sent < until
        time.sleep(0.05)


def test_a_login_counts_against_the_rate_of_the_key(tenant: Tenant) -> None:
    """And so does each use of the token."""
    secret, key_id = tenant.named_key("samples:write", rate=Rate(2, 3_000_000_000))
    token = _log_in(tenant, key_id, secret).json()["access_token"]
    assert SAMPLES_V2.send(tenant, token).status_code == 200
    limited = _log_in(tenant, key_id, secret)
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) >= 1
    SAMPLES_V2.check(429, SAMPLES_V2.send(tenant, token))


def test_neither_key_nor_token_is_in_the_log_or_the_database(
    deployment: Deployment, tenant: Tenant
) -> None:
    """Whether the login succeeds or not."""
    secret, key_id = tenant.named_key("samples:write")
    token = _log_in(tenant, key_id, secret).json()["access_token"]
    assert _log_in(tenant, "unknown", secret).status_code == 401
    assert SAMPLES_V2.send(tenant, token).status_code == 200
    for text in (secret, token):
        assert text not in deployment.log
        assert not deployment.holds(text)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 400),
        ({}, b"username=%ff&password=%00", 401),
        ({"Content-Encoding": "deflate"}, b"not deflate", 400),
        ({"Content-Encoding": "br"}, b"", 415),
        ({}, b"x" * 70_000, 413),
        ({"Content-Type": "application/json"}, b'{"username": "a"}', 400),
        ({}, b"&" * 60_000, 400),
    ],
)
def test_odd_forms_are_answered(
    tenant: Tenant, headers: dict[str, str], body: bytes, status: int
) -> None:
    """In the vendor's form."""
    answer = tenant.client.post(LOGIN, content=body, headers=headers)
    assert answer.status_code == status
    check_gerosense(status, answer.json())

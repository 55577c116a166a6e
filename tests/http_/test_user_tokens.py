"""Tokens of end users: each serves as an API key of one user, if everything about it is right."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contract.tenant import TURNS, Tenant, sample
from contract.uploads import SAMPLES_V1, SAMPLES_V2, UPLOADS, check_gerosense
from deployments import Deployment
from http_.key_server import KeyServer, described, key_server
from uptake.http.user_tokens import FETCH_INTERVAL
from uptake.model import clock, ids
from uptake.store.definitions import Issuer
from uptake.testing.live import ALL_WRITES

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RS256": RSA, "ES256": EC, "EdDSA": ED}
OTHER = ec.generate_private_key(ec.SECP256R1())
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
AUDIENCE = "app"
PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    """Serves the key set of an issuer."""
    with key_server() as running:
        yield running


class Trusted:
    """An issuer that a project trusts, and its tokens."""

    def __init__(self, tenant: Tenant, server: KeyServer, *scopes: str) -> None:
        self.tenant, self.server = tenant, server
        self.url = f"{server.url}/{tenant.project}"
        self.issuer = Issuer(
            id=ids.time_ordered(),
            project=tenant.project,
            name="phones",
            issuer=self.url,
            audience=AUDIENCE,
            source=self.url,
            user_claim="sub",
            scopes=scopes or (*ALL_WRITES, "data:read"),
            created_at=clock.now(),
        )
        tenant.store.add_issuer(self.issuer)
        self.serve(*(described(key, name) for name, key in KEYS.items()))

    def serve(self, *keys: dict[str, Any]) -> None:
        """The key set from now on."""
        path = self.url.removeprefix(self.server.url)
        self.server.answers[path] = json.dumps({"keys": keys}).encode()

    @property
    def fetches(self) -> int:
        """How often the key set was fetched."""
        return self.server.requests[self.url.removeprefix(self.server.url)]

    def token(
        self,
        algorithm: str = "ES256",
        key: Any = None,
        kid: str | None = "",
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token for the user 42; claims that are None are left out."""
        now = int(time.time())
        content = {"iss": self.url, "aud": AUDIENCE, "exp": now + 600, "sub": "42", **claims}
        content = {name: value for name, value in content.items() if value is not None}
        named = {} if kid is None else {"kid": kid or algorithm}
        secret: Any = KEYS.get(algorithm) if key is None else key
        return jwt.encode(content, secret, algorithm=algorithm, headers=named | (headers or {}))

    def send(self, token: str) -> httpx2.Response:
        """Upload samples of the token's user."""
        return SAMPLES_V1.send(self.tenant, token)

    def let_a_minute_pass(self) -> None:
        """Have the store believe that the last fetch was a minute ago."""
        store, now = self.tenant.store, clock.now()
        store.put_key_set(self.issuer.id, None, now - FETCH_INTERVAL - 1)
        store.claim(f"key set {self.issuer.id}", now + 2 * FETCH_INTERVAL, now)

    def wait_for(self, status: int, token: str) -> None:
        """Send a token until every process answers with a status: they cache for a second."""
        until, in_a_row = time.monotonic() + PATIENCE_SECONDS, 0
        while in_a_row < TURNS:
            assert time.monotonic() < until
            in_a_row = in_a_row + 1 if self.send(token).status_code == status else 0


@pytest.fixture
def trusted(tenant: Tenant, server: KeyServer) -> Trusted:
    """An issuer that the project of the test trusts."""
    return Trusted(tenant, server)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_is_a_key_of_its_user_alone(trusted: Trusted, algorithm: str) -> None:
    """At every endpoint, in the place of each vendor, and for reads."""
    token, tenant = trusted.token(algorithm), trusted.tenant
    for upload in UPLOADS:
        assert upload.send(tenant, token).status_code == 200
    other = trusted.token(algorithm, sub="43")
    SAMPLES_V2.check(403, SAMPLES_V2.send(tenant, other))
    assert tenant.get("/users/42", token).status_code == 200
    assert tenant.get("/users/42", other).status_code == 403
    assert tenant.get("/users", token).status_code == 403
    assert trusted.fetches == 1


def test_a_token_permits_the_scopes_of_its_issuer(tenant: Tenant, server: KeyServer) -> None:
    """Of its project alone."""
    trusted = Trusted(tenant, server, "samples:write")
    token = trusted.token()
    assert trusted.send(token).status_code == 200
    assert tenant.document("42", {}).status_code == 200
    assert UPLOADS[0].send(tenant, token).status_code == 403
    assert tenant.get("/users/42", token).status_code == 403
    tested = tenant.client.post(
        "/api/v1.0/login/test-token", headers={"Authorization": f"Bearer {token}"}
    )
    assert tested.json() == {"user": "42", "scopes": ["samples:write"]}
    login = {"username": trusted.issuer.id, "password": token}
    assert tenant.client.post("/api/v1.0/login/access-token", data=login).status_code == 401


def test_a_token_that_is_not_right_in_everything_is_401(trusted: Trusted) -> None:
    """In the vendor's form, and nothing is stored."""
    now = int(time.time())
    good = trusted.token()
    head, payload, signature = good.split(".")
    wrong = {
        "alg none": trusted.token("none", key="", kid="ES256"),
        "no signature": f"{head}.{payload}.",
        "HS256 with the public key": _with_public_key(trusted),
        "HS256": trusted.token("HS256", key="x" * 32, kid="ES256"),
        "another algorithm of the same kind": trusted.token("RS512", key=RSA, kid="RS256"),
        "algorithm of another key": trusted.token("RS256", key=RSA, kid="ES256"),
        "another key": trusted.token("ES256", key=OTHER),
        "changed claims": f"{head}.{trusted.token(sub='43').split('.')[1]}.{signature}",
        "unknown kid": trusted.token(kid="unknown"),
        "kid of no text": f"{_encoded({'alg': 'ES256', 'kid': 7})}.{payload}.{signature}",
        "critical header": trusted.token(headers={"crit": ["b"], "b": 1}),
        "issuer": trusted.token(iss="https://else.example"),
        "no issuer": trusted.token(iss=None),
        "issuer of no text": _unchecked(trusted, iss=7),
        "audience": trusted.token(aud="else"),
        "no audience": trusted.token(aud=None),
        "audience of no text": _unchecked(trusted, aud={"a": AUDIENCE}),
        "expired": trusted.token(exp=now - 62),
        "no end": trusted.token(exp=None),
        "end of no number": _unchecked(trusted, exp="soon"),
        "endless": _unchecked(trusted, exp=float("inf")),
        "not yet": trusted.token(nbf=now + 120),
        "not yet, of no number": _unchecked(trusted, nbf=[]),
        "no user": trusted.token(sub=None),
        "user of no text": _unchecked(trusted, sub=42),
        "empty user": trusted.token(sub=""),
        "long user": trusted.token(sub="x" * 257),
        "user with NUL": trusted.token(sub="a\0"),
        "half a character": _unchecked(trusted, sub="\ud800"),
        "three dots": "...",
        "two parts": f"{head}.{payload}",
        "claims of no object": f"{head}.{_encoded([1])}.{signature}",
        "deep": f"{head}.{'W' * 9000}.{signature}",
        "long": "x." * 9000,
    }
    for name, token in wrong.items():
        answer = trusted.send(token)
        assert answer.status_code == 401, (name, answer.text)
        check_gerosense(401, answer.json())
    assert trusted.tenant.get("/users/42").status_code == 404
    for early_or_late in ({"exp": now - 20}, {"nbf": now + 20}, {"aud": ["x", AUDIENCE]}):
        assert trusted.send(trusted.token(**early_or_late)).status_code == 200
    assert trusted.send(good).status_code == 200
    assert trusted.fetches == 1


def _encoded(value: Any) -> str:
    return jwt.utils.base64url_encode(json.dumps(value).encode()).decode()


def _unchecked(trusted: Trusted, **claims: Any) -> str:
    """A token with a valid signature, and claims that PyJWT does not encode."""
    head, payload, _ = trusted.token().split(".")
    content = json.loads(jwt.utils.base64url_decode(payload)) | claims
    signed = f"{head}.{_encoded(content)}".encode()
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{signed.decode()}.{jwt.utils.base64url_encode(algorithm.sign(signed, EC)).decode()}"


def _with_public_key(trusted: Trusted) -> str:
    """A token that is signed with HMAC and the text of the public key, which is no secret."""
    _, payload, _ = trusted.token().split(".")
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'RS256'})}.{payload}".encode()
    signature = hmac.digest(PEM, signed, hashlib.sha256)
    return f"{signed.decode()}.{jwt.utils.base64url_encode(signature).decode()}"


def test_a_new_signing_key_works_without_a_restart(trusted: Trusted) -> None:
    """On every node, with one fetch a minute; a removed key ends with it."""
    old, new = trusted.token(), trusted.token("ES256", key=OTHER, kid="new")
    for _ in range(TURNS):
        assert trusted.send(old).status_code == 200
    trusted.serve(described(OTHER, "new"))
    for _ in range(TURNS):
        assert trusted.send(new).status_code == 401
        assert trusted.send(trusted.token(kid="unknown")).status_code == 401
    assert trusted.fetches == 1
    trusted.let_a_minute_pass()
    trusted.wait_for(200, new)
    assert trusted.fetches == 2
    trusted.wait_for(401, old)


def test_an_issuer_that_is_down_does_not_stop_known_keys(trusted: Trusted) -> None:
    """Tokens with unknown ones are 401, and do not wait for the issuer again and again."""
    token = trusted.token()
    assert trusted.send(token).status_code == 200
    trusted.server.answers[trusted.url.removeprefix(trusted.server.url)] = b""
    trusted.let_a_minute_pass()
    until, unknown = time.monotonic() + PATIENCE_SECONDS, trusted.token(kid="unknown")
    while trusted.fetches < 2:
        assert time.monotonic() < until
        assert trusted.send(unknown).status_code == 401
    for _ in range(TURNS):
        assert trusted.send(token).status_code == 200
        assert trusted.send(trusted.token()).status_code == 200
    assert trusted.fetches == 2


def test_a_key_without_an_id_is_used_if_it_is_the_only_one(trusted: Trusted) -> None:
    """Of its algorithm."""
    trusted.serve(described(EC, None), described(RSA, "a"), described(RSA, "b"))
    assert trusted.send(trusted.token(kid=None)).status_code == 200
    assert trusted.send(trusted.token("RS256", kid=None)).status_code == 401
    assert trusted.send(trusted.token("RS256", kid="b")).status_code == 200


def test_the_command_line_adds_lists_and_removes_issuers(
    deployment: Deployment, tenant: Tenant, server: KeyServer
) -> None:
    """Servers follow within seconds."""
    trusted = Trusted(tenant, server)
    project = ("--project", tenant.project)
    where = ("--issuer", trusted.url, "--jwks", trusted.url, "--audience", "web")
    claim = ("--user-claim", "user_id", "--scope", "samples:write")
    added = deployment.command("issuers", "add", "web", *where, *claim, *project)
    token = trusted.token(aud="web", user_id="77", sub=None)
    assert trusted.send(token).status_code == 200
    assert tenant.user("77")["samples"]["steps"]["count"] == 3
    web, phones = reversed(deployment.command("issuers", "list", *project))
    assert (web["name"], phones["name"]) == ("web", "phones")
    assert web == added | {"keys": 3, "read_at": web["read_at"]}
    assert phones["keys"] == 0
    removed = deployment.command("issuers", "remove", "web", *project)
    assert removed == {"name": "web", "removed": True}
    trusted.wait_for(401, token)


def test_samples_of_an_erased_user_are_rejected(trusted: Trusted) -> None:
    """A token outlives its user; nothing is stored of it."""
    token, tenant = trusted.token(), trusted.tenant
    assert trusted.send(token).status_code == 200
    operator = {"Authorization": f"Bearer {tenant.key('data:erase')}"}
    assert tenant.client.delete("/uptake/v1/users/42", headers=operator).status_code == 200
    body = {"data_type": "steps", "data": [sample(9), sample(10), sample(11)]}
    headers = {"Authorization": f"Bearer {token}"}
    answer = tenant.client.post("/api/v1.1/samples", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "erased")

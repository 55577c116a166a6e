"""Every operation of the OpenAPI document, with every scope, for bound and unbound keys."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
import pytest

from contract.pictures import PNG
from contract.tenant import Tenant, new_tenant, sample
from contract.uploads import UPLOADS
from uptake.delivery.webhook_changes import Wanted, add_webhook
from uptake.http.access import SCOPES

pytestmark = pytest.mark.usefixtures("served_throughout")

OWNER, STRANGER = "42", "43"
SECRET = "only-the-owner-may-read-this"
"""An attribute's value, and part of every record of the owner."""

DENIED = {401, 403}
UPLOAD_AT = {upload.path.replace("/42/", "/{user-id}/"): upload for upload in UPLOADS}
MOOD = "/v1/user-data/mood"


@dataclass(frozen=True)
class Expected:
    """Who may call an operation.

    Attributes:
        scope: that the key must have; "" where none is needed.
        about: `user`, one user: another user's key gets 403; `own`, a list that a bound key sees
            its own part of; `project`, all users: a bound key gets 403.
        query, body: a sound request.
        other_scope: a scope that permits it too.
        place: the query parameter or the header with the key, if it is not `Authorization`.
    """

    scope: str
    about: str
    query: str = ""
    body: Any = None
    other_scope: str = ""
    place: str = ""

    @property
    def scopes(self) -> set[str]:
        """The scopes that permit it."""
        return {self.scope, self.other_scope}


def _user(scope: str = "data:read", query: str = "") -> Expected:
    return Expected(scope, "user", query)


def _project(scope: str = "data:read", body: Any = None) -> Expected:
    return Expected(scope, "project", body=body)


def _image(about: str = "user", other_scope: str = "data:read") -> Expected:
    """An operation of QuestionPro on stored images."""
    return Expected("images:write", about, other_scope=other_scope, place="apiKey")


def _operate(body: Any = None) -> Expected:
    """An operation of the admin of the project, and of the operator of all projects."""
    return Expected("admin", "project", body=body, other_scope="operator")


def _result(about: str, query: str = "", body: Any = None) -> Expected:
    """An operation of Gerosense on results."""
    return Expected("samples:write", about, query, body, other_scope="data:read")


REGISTRATION = {"biological_sex": "Male", "year_of_birth": 1985}
FILTER = {"attribute": "plan", "op": "eq", "value": "pro"}
RECEIVER = Wanted("http://127.0.0.1:9/", ["user.erased"], allow_private=True)
"""Nothing listens there."""
WEBHOOK = {"url": "https://receiver.example/", "events": ["user.erased"]}
RULES = {"rules": [{"kind": "rejections", "days": 30}]}
PUBLIC = Expected("", "public")
ANY_KEY = Expected("", "any")
V1 = "/uptake/v1"

EXPECTED = {
    f"GET {V1}": ANY_KEY,
    f"GET {V1}/users": _project(),
    f"GET {V1}/users/{{user_id}}": _user(),
    f"GET {V1}/users/{{user_id}}/documents": _user(),
    f"DELETE {V1}/users/{{user_id}}": _user("data:erase"),
    f"PUT {V1}/users/{{user_id}}/consent": _user("data:erase", "after_erasure=true"),
    f"GET {V1}/users/{{user_id}}/samples": _user(query="metric=steps"),
    f"DELETE {V1}/users/{{user_id}}/samples": _user(
        "data:erase", "metric=steps&from=2000-01-01&to=2001-01-01"
    ),
    f"GET {V1}/users/{{user_id}}/images": _user(),
    f"DELETE {V1}/users/{{user_id}}/images/{{image_id}}": _user("data:erase"),
    f"GET {V1}/users/{{user_id}}/rollups": _user(query="metric=steps"),
    f"GET {V1}/users/{{user_id}}/sync": _user(query="metric=steps"),
    f"GET {V1}/users/{{user_id}}/archive": _user(),
    f"GET {V1}/documents/{{upload_id}}": _user(),
    f"DELETE {V1}/documents/{{upload_id}}": _user("data:erase"),
    f"GET {V1}/exports/{{kind}}": _user(query="form=ndjson&user=42"),
    f"GET {V1}/rejections": Expected("data:read", "own"),
    f"GET {V1}/rejections/groups": Expected("data:read", "own"),
    f"GET {V1}/rejections/{{rejection_id}}": _user(),
    f"GET {V1}/requests": _operate(),
    f"GET {V1}/requests/stream": _operate(),
    f"GET {V1}/requests/counts": _operate(),
    f"GET {V1}/requests/{{request_id}}": _user(),
    f"POST {V1}/rejections/{{rejection_id}}/replay": _user("admin"),
    f"POST {V1}/rejections/replay": Expected("admin", "own"),
    f"GET {V1}/erasures": _project("data:erase"),
    f"GET {V1}/erasures/public-key": PUBLIC,
    f"GET {V1}/erasures/{{erasure_id}}": _project("data:erase"),
    f"GET {V1}/retention": _project("admin"),
    f"PUT {V1}/retention": _project("admin", RULES),
    f"POST {V1}/retention/preview": _project("admin", RULES),
    f"GET {V1}/document-types": _project(),
    f"GET {V1}/document-types/{{name}}": _project(),
    f"GET {V1}/document-types/{{name}}/versions": _project(),
    f"PUT {V1}/document-types/{{name}}": _project("admin", {"type": "object"}),
    f"POST {V1}/document-types/{{name}}/dry-run": _project("admin", {"type": "object"}),
    f"POST {V1}/segments/preview": _project(body=FILTER),
    f"GET {V1}/segments": _project(),
    f"GET {V1}/segments/{{name}}": _project(),
    f"GET {V1}/segments/{{name}}/users": _project(),
    f"PUT {V1}/segments/{{name}}": _project("admin", FILTER),
    f"DELETE {V1}/segments/{{name}}": _project("admin"),
    f"GET {V1}/projects": _operate(),
    f"POST {V1}/projects": _project("operator", {"name": "taken"}),
    f"GET {V1}/relays": _project("admin"),
    f"GET {V1}/relays/{{name}}/outbox": _project("admin"),
    f"POST {V1}/relays/{{name}}/pause": _project("admin"),
    f"POST {V1}/relays/{{name}}/resume": _project("admin"),
    f"POST {V1}/relays/{{name}}/retry": _project("admin"),
    f"GET {V1}/webhooks": _project("admin"),
    f"POST {V1}/webhooks": _project("admin", WEBHOOK),
    f"GET {V1}/webhooks/{{webhook_id}}": _project("admin"),
    f"DELETE {V1}/webhooks/{{webhook_id}}": _project("admin"),
    f"POST {V1}/webhooks/{{webhook_id}}/rotate": _project("admin", {}),
    f"POST {V1}/webhooks/{{webhook_id}}/resume": _project("admin"),
    f"GET {V1}/webhooks/{{webhook_id}}/failed": _project("admin"),
    f"POST {V1}/webhooks/{{webhook_id}}/redeliver": _project("admin", {}),
    f"POST {V1}/webhooks/{{webhook_id}}/test": _project("admin"),
    f"GET {V1}/audit": _operate(),
    f"GET {V1}/server": _project("operator"),
    f"GET {V1}/keys": _operate(),
    f"POST {V1}/keys": _operate({"scopes": ["samples:write"]}),
    f"GET {V1}/keys/{{key_id}}": _operate(),
    f"PATCH {V1}/keys/{{key_id}}": _operate({"name": "renamed"}),
    f"DELETE {V1}/keys/{{key_id}}": _operate(),
    f"POST {V1}/keys/{{key_id}}/rotate": _operate({}),
    f"GET {V1}/health/live": PUBLIC,
    f"GET {V1}/health/ready": PUBLIC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /openapi.json": PUBLIC,
    f"GET {V1}/openapi.json": PUBLIC,
    "GET /images/{image_name}": PUBLIC,
    "POST /v1/user-data/{upload_type}": _user("user-data:write"),
    "GET /v1/account": Expected("", "any", place="x-api-key"),
    "POST /v1/user/profiles": _user("profiles:write"),
    "POST /a/api/v2/users/{user-id}/images": _user("images:write"),
    "GET /a/api/v2/users/{user-id}/images": _image(),
    "GET /a/api/v2/users/{user-id}/images/{image-id}": _image(),
    "GET /a/api/v2/images": _image("project"),
    "DELETE /a/api/v2/images/{image-id}": _image(other_scope=""),
    "GET /api/status": PUBLIC,
    "POST /api/v1.0/login/access-token": Expected("", "login"),
    "POST /api/v1.0/login/test-token": ANY_KEY,
    "POST /api/v1.1/user": Expected("samples:write", "own", body=REGISTRATION),
    "POST /api/v2.2/user": Expected("samples:write", "user", body={"id": OWNER, **REGISTRATION}),
    "POST /api/v1.1/bioage/calculate": _result("own"),
    "POST /api/v2.2/bioage/calculate": _result("user", body={"user_id": OWNER}),
    "GET /api/v1.1/bioage": _result("own"),
    "GET /api/v2.2/bioage": _result("user", "user_id=42"),
    "GET /api/v1.1/resilience": _result("own"),
    "GET /api/v2.2/resilience": _result("user", "user_id=42"),
    "POST /api/v1.1/samples": Expected("samples:write", "own"),
    "POST /api/v2.2/samples": _user("samples:write"),
}
"""Who may call what. A new operation needs a row here, or the first test fails."""


@dataclass(frozen=True)
class Target:
    """A project with data of its owner, and the values of the parts of paths that lead to it."""

    tenant: Tenant
    stranger: Tenant
    parts: dict[str, str]

    def send(self, operation: str, secret: str) -> httpx2.Response:
        """Call an operation, about the owner, with a key."""
        method, template = operation.split(" ")
        expected = EXPECTED[operation]
        upload = UPLOAD_AT.get(template.replace("{upload_type}", "mood"))
        if upload is not None and method == "POST":
            return upload.send(self.tenant, secret)
        path = template
        for name, value in self.parts.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if template.startswith(f"{V1}/document-types"):
            path = path.replace("/pros", "/mood")
        query, headers = expected.query, {"Authorization": f"Bearer {secret}"} if secret else {}
        if expected.place == "apiKey":
            query, headers = f"apiKey={secret}", {}
        elif expected.place:
            headers = {expected.place: secret}
        return self.tenant.client.request(
            method,
            f"{path}?{query}",
            headers=headers,
            content=None if expected.body is None else msgspec.json.encode(expected.body),
        )


@pytest.fixture
def target(tenant: Tenant) -> Target:
    """Something of every kind about the owner, so that every operation finds what it asks for."""
    assert tenant.profiles(["user_id", "plan"], [OWNER, SECRET]).status_code == 200
    sent = tenant.steps(OWNER, sample(0, device_name=SECRET), sample(1), sample(2))
    assert sent.status_code == 200
    rejected = tenant.steps(OWNER, sample(0, value=0, device_name=SECRET), sample(1), sample(2))
    assert rejected.status_code == 207
    image = tenant.picture(OWNER, PNG).json()["response"]
    upload_id = tenant.document(OWNER, {"note": SECRET}).json()["uploadId"]
    operator = {"Authorization": f"Bearer {tenant.key('admin', 'data:erase', 'data:read')}"}
    erased = tenant.client.delete(f"{V1}/users/44", headers=operator).json()
    named = tenant.client.put(
        f"{V1}/segments/pros", headers=operator, content=msgspec.json.encode(FILTER)
    )
    assert named.status_code == 200
    (rejection,) = tenant.get("/rejections", params={"user": OWNER}).json()["rejections"]
    parts = {
        "user_id": OWNER,
        "user-id": OWNER,
        "image-id": str(image["imageID"]),
        "image_id": str(image["imageID"]),
        "image_name": image["imageURL"].rpartition("/")[2],
        "upload_id": upload_id,
        "rejection_id": rejection["rejection_id"],
        "request_id": rejected.headers["x-request-id"],
        "erasure_id": erased["erasure_id"],
        "key_id": tenant.named_key("samples:write")[1],
        "name": "pros",
        "kind": "documents",
        "webhook_id": add_webhook(tenant.store, tenant.project, RECEIVER).id,
    }
    stranger = new_tenant(tenant.client, tenant.store)
    stranger.type("mood")
    return Target(tenant, stranger, parts)


def test_every_operation_has_its_expected_access(tenant: Tenant) -> None:
    """The table above, compared with the OpenAPI document: a new operation needs a row."""
    paths = tenant.client.get("/openapi.json").json()["paths"]
    operations = {
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods
    }
    assert operations == set(EXPECTED)


@pytest.mark.parametrize("operation", EXPECTED)
def test_only_the_expected_keys_are_admitted(target: Target, operation: str) -> None:
    """Whatever a key that is not meant to may try, it neither reads nor changes anything."""
    expected = EXPECTED[operation]
    if expected.about == "public":
        assert target.send(operation, "").status_code == 200
        return
    if expected.about == "login":  # the key is in the body
        assert target.send(operation, target.tenant.secret).status_code == 400
        return
    for secret in ("", "up_" + "x" * 32):
        assert target.send(operation, secret).status_code == 401
    if expected.about == "any":
        for scope in SCOPES:
            assert target.send(operation, target.tenant.key(scope)).status_code == 200
        return
    others = [scope for scope in SCOPES if scope not in expected.scopes]
    for tenant in (target.tenant, target.stranger):
        for user in (None, OWNER, STRANGER):
            assert target.send(operation, tenant.key(*others, user=user)).status_code == 403
    for scope in others:
        assert target.send(operation, target.tenant.key(scope)).status_code == 403
    _check_bound_to_another(target, operation)
    _check_other_project(target, operation)
    bound = target.send(operation, target.tenant.key(expected.scope, user=OWNER))
    assert (bound.status_code in DENIED) == (expected.about == "project")
    if " /api/v1.1/" not in operation:  # they take the user from the key
        assert target.send(operation, target.tenant.key(expected.scope)).status_code not in DENIED


def _check_bound_to_another(target: Target, operation: str) -> None:
    expected = EXPECTED[operation]
    answer = target.send(operation, target.tenant.key(expected.scope, user=STRANGER))
    if expected.about != "own":
        assert answer.status_code == 403
    assert SECRET not in answer.text
    assert target.parts["rejection_id"] not in answer.text
    _check_untouched(target)


def _check_other_project(target: Target, operation: str) -> None:
    for user in (None, OWNER):
        answer = target.send(operation, target.stranger.key(EXPECTED[operation].scope, user=user))
        assert SECRET not in answer.text
        assert target.parts["rejection_id"] not in answer.text or answer.status_code == 404
    _check_untouched(target)


def _check_untouched(target: Target) -> None:
    """The owner's data, the open rejection and the project's settings are as they were."""
    tenant = target.tenant
    assert tenant.user(OWNER)["attributes"] == {"plan": SECRET}
    (open_,) = tenant.get("/rejections", params={"user": OWNER, "resolved": False}).json()[
        "rejections"
    ]
    assert open_["rejection_id"] == target.parts["rejection_id"]
    assert tenant.get("/segments/pros").status_code == 200
    admin = {"Authorization": f"Bearer {tenant.key('admin')}"}
    assert tenant.client.get(f"{V1}/retention", headers=admin).json() == {"rules": []}

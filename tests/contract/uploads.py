"""The five endpoints as their vendors' clients call them, and their vendors' envelopes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from .pictures import PNG
from .tenant import Tenant, sample

BOUNDARY = "a-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
QUESTIONPRO = {
    400: ("BAD_REQUEST", "1000"),
    401: ("UNAUTHORIZED", "1010"),
    403: ("FORBIDDEN", "1013"),
    404: ("NOT_FOUND", "1040"),
    413: ("PAYLOAD_TOO_LARGE", "1000"),
    429: ("TOO_MANY_REQUESTS", "1013"),
    503: ("SERVICE_UNAVAILABLE", "1026"),
}
"""Status to `name` and `id`, as the contract lists them."""


@dataclass(frozen=True)
class Upload:
    """An endpoint: its address for the user "42", its key's place, and a sound body."""

    name: str
    path: str
    scope: str
    place: str
    body: bytes
    check_envelope: Callable[[int, Any], None]
    media_type: str = "application/json"
    bound: bool = False
    rejected: int = 400

    def __str__(self) -> str:
        return self.name

    def key(self, tenant: Tenant, **options: Any) -> str:
        """A key that has the endpoint's scope alone, bound where it must be."""
        return tenant.key(self.scope, user="42" if self.bound else None, **options)

    def with_key(self, secret: str, place: str | None = None) -> dict[str, Any]:
        """The options of a request that carries a key, by default where the vendor has it."""
        match place or self.place:
            case "bearer":
                return {"headers": {"Authorization": f"Bearer {secret}"}}
            case "apiKey":
                return {"params": {"apiKey": secret}}
            case header:
                return {"headers": {header: secret}}

    def send(
        self,
        tenant: Tenant,
        secret: str,
        content: Any = None,
        *,
        method: str = "POST",
        place: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send the body, or another, with a key."""
        options = self.with_key(secret, place) if secret else {}
        options["headers"] = {
            "Content-Type": self.media_type,
            **options.get("headers", {}),
            **(headers or {}),
        }
        content = self.body if content is None else content
        return tenant.client.request(method, self.path, content=content, **options)

    def check(self, status: int, response: httpx2.Response) -> None:
        """A rejection has this status, the vendor's envelope and a request id."""
        assert (response.status_code, response.text) == (status, response.text)
        assert response.headers["content-type"].startswith("application/json")
        assert response.headers["x-request-id"]
        self.check_envelope(status, response.json())


def form(content: bytes, name: str = "file") -> bytes:
    """A multipart form with one part."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="p"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def check_thymia(_status: int, body: Any) -> None:
    """`{"detail": "<text>"}`."""
    assert list(body) == ["detail"]
    assert isinstance(body["detail"], str)
    assert body["detail"]


def check_ptengine(_status: int, body: Any) -> None:
    """`{"msg": "<reason>", "timestamp": <unix seconds>}`."""
    assert {"msg", "timestamp"} == set(body)
    assert isinstance(body["msg"], str)
    assert isinstance(body["timestamp"], int)


def check_questionpro(status: int, body: Any) -> None:
    """The six members, exactly; `id` is a string."""
    assert list(body) == ["response"]
    assert list(body["response"]) == ["error"]
    error = body["response"]["error"]
    assert {"docs", "name", "httpStatusCode", "id", "message", "resourceUrl"} == set(error)
    assert status == error["httpStatusCode"]
    if status in QUESTIONPRO:
        assert QUESTIONPRO[status] == (error["name"], error["id"])
    assert isinstance(error["id"], str)
    assert all(isinstance(error[name], str) for name in ("docs", "message", "resourceUrl"))


def check_gerosense(_status: int, body: Any) -> None:
    """`{"code": "...", "message": "..."}`."""
    assert {"code", "message"} == set(body)
    assert all(isinstance(text, str) and text for text in body.values())


def _samples(**members: Any) -> bytes:
    data = [sample(0), sample(1), sample(2)]
    return msgspec.json.encode({"data_type": "steps", "data": data, **members})


THYMIA = Upload(
    "thymia",
    "/v1/user-data/mood",
    "user-data:write",
    "x-api-key",
    b'{"user": {"userLabel": "42"}, "data": {"mood": 7}}',
    check_thymia,
    rejected=422,
)
PTENGINE = Upload(
    "ptengine",
    "/v1/user/profiles",
    "profiles:write",
    "bearer",
    b'{"field_name": ["user_id", "plan"], "values": [["42", "pro"]]}',
    check_ptengine,
)
IMAGES = Upload(
    "questionpro",
    "/a/api/v2/users/42/images",
    "images:write",
    "apiKey",
    form(PNG),
    check_questionpro,
    FORM,
)
IMAGES_NEWER = Upload(
    "questionpro-header",
    "/a/api/v2/users/42/images",
    "images:write",
    "api-key",
    form(PNG),
    check_questionpro,
    FORM,
)
SAMPLES_V1 = Upload(
    "gerosense-v1.1",
    "/api/v1.1/samples",
    "samples:write",
    "bearer",
    _samples(),
    check_gerosense,
    bound=True,
)
SAMPLES_V2 = Upload(
    "gerosense-v2.2",
    "/api/v2.2/samples",
    "samples:write",
    "bearer",
    _samples(user_id="42"),
    check_gerosense,
)
UPLOADS = (THYMIA, PTENGINE, IMAGES, IMAGES_NEWER, SAMPLES_V1, SAMPLES_V2)
JSON_UPLOADS = (THYMIA, PTENGINE, SAMPLES_V1, SAMPLES_V2)
PLACES = ("bearer", "x-api-key", "apiKey", "api-key")

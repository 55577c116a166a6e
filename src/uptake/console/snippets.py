"""Programs that send a request to an endpoint: for curl, Python and JavaScript."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct

KEY = "YOUR_API_KEY"
"""Where the secret of an API key belongs."""

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mPMY4AAJgaKGAAhCgB+"
    "CFqVKwAAAABJRU5ErkJggg=="
)
"""A small image."""


class Upload(Struct, frozen=True):
    """An endpoint.

    Attributes:
        path: with parameters in braces.
        credential: the header with the API key; `Bearer` is put before it in `Authorization`.
        body: an example; None for an image in a form.
        user: of the example.
        needs_user: whether the API key must be bound to the user.
        needs_type: whether the path names a document type.
    """

    path: str
    credential: str
    body: Mapping[str, Any] | None
    user: str = "42"
    needs_user: bool = False
    needs_type: bool = False


class Target(Struct, frozen=True):
    """Where a request goes.

    Attributes:
        origin: URL of the server.
        key: the secret of the API key.
        user: in the path.
        type: name of the document type in the path.
        day: of samples, as YYYY-MM-DD.
    """

    origin: str
    key: str = KEY
    user: str = "42"
    type: str = "TYPE"
    day: str = "2026-01-31"


_SAMPLES = [
    {
        "device_name": "Watch",
        "start_date": f"{{day}}T08:0{minute}:00Z",
        "unit": "count",
        "value": value,
    }
    for minute, value in enumerate((40, 55, 38))
]

UPLOADS = {
    "thymia": Upload(
        "/v1/user-data/{type}",
        "x-api-key",
        {"user": {"userLabel": "42"}, "data": {"mood": 7}},
        needs_type=True,
    ),
    "ptengine": Upload(
        "/v1/user/profiles",
        "Authorization",
        {"field_name": ["user_id", "plan"], "values": [["42", "pro"]]},
    ),
    "questionpro": Upload("/a/api/v2/users/{user}/images", "api-key", None),
    "gerosense-v1.1": Upload(
        "/api/v1.1/samples",
        "Authorization",
        {"data_type": "steps", "data": _SAMPLES},
        needs_user=True,
    ),
    "gerosense-v2.2": Upload(
        "/api/v2.2/samples",
        "Authorization",
        {"user_id": "42", "data_type": "steps", "data": _SAMPLES},
    ),
}
"""The endpoints that the console can show a client for."""


def curl(upload: Upload, target: Target, body: str | None = None) -> str:
    """A command that sends a request.

    Args:
        upload: the endpoint.
        target: where it goes.
        body: None for a file that the user has to fill in.
    """
    name, value = _credential(upload, target)
    lines = [f"curl -i {_shell(_url(upload, target))}", f"-H {_shell(f'{name}: {value}')}"]
    if upload.body is None:
        lines.append("-F file=@photo.png")
    elif body is None:
        lines += ["-H 'Content-Type: application/json'", "--data-binary @body.json"]
    else:
        lines += ["-H 'Content-Type: application/json'", f"--data-binary {_shell(body)}"]
    return " \\\n  ".join(lines)


def snippets(upload: Upload, target: Target) -> dict[str, str]:
    """Programs that send the example, by the name of their language."""
    if upload.body is None:
        command = f"base64 -d <<< {PNG} > photo.png\n{curl(upload, target)}"
    else:
        command = curl(upload, target, _body(upload, target))
    return {
        "curl": command,
        "Python": _python(upload, target),
        "JavaScript": _javascript(upload, target),
    }


def _python(upload: Upload, target: Target) -> str:
    url, (name, value) = _quoted(_url(upload, target)), map(_quoted, _credential(upload, target))
    if upload.body is None:
        image = [PNG[:76], PNG[76:]]
        parts = "\n    ".join(_quoted(part) for part in image)
        return f"""\
import base64
import urllib.request

image = base64.b64decode(
    {parts}
)
head = b'--part\\r\\nContent-Disposition: form-data; name="file"; filename="photo.png"\\r\\n\\r\\n'
request = urllib.request.Request(
    {url},
    data=head + image + b"\\r\\n--part--\\r\\n",
    headers={{
        {name}: {value},
        "Content-Type": "multipart/form-data; boundary=part",
    }},
)
with urllib.request.urlopen(request) as response:
    print(response.status, response.read().decode())
"""
    return f"""\
import json
import urllib.request

body = {_body(upload, target)}
request = urllib.request.Request(
    {url},
    data=json.dumps(body).encode(),
    headers={{
        {name}: {value},
        "Content-Type": "application/json",
    }},
)
with urllib.request.urlopen(request) as response:
    print(response.status, response.read().decode())
"""


def _javascript(upload: Upload, target: Target) -> str:
    url, (name, value) = _quoted(_url(upload, target)), map(_quoted, _credential(upload, target))
    if upload.body is None:
        return f"""\
const image = Uint8Array.from(atob({_quoted(PNG)}), (one) => one.charCodeAt(0));
const body = new FormData();
body.append("file", new Blob([image]), "photo.png");
fetch({url}, {{
  method: "POST",
  headers: {{ {name}: {value} }},
  body,
}}).then(async (response) => console.log(response.status, await response.text()));
"""
    return f"""\
const body = {_body(upload, target)};
fetch({url}, {{
  method: "POST",
  headers: {{
    {name}: {value},
    "Content-Type": "application/json",
  }},
  body: JSON.stringify(body),
}}).then(async (response) => console.log(response.status, await response.text()));
"""


def _url(upload: Upload, target: Target) -> str:
    names = {"type": target.type, "user": target.user}
    path = upload.path.format_map({name: quote(value, safe="") for name, value in names.items()})
    return target.origin + path


def _credential(upload: Upload, target: Target) -> tuple[str, str]:
    is_bearer = upload.credential == "Authorization"
    return upload.credential, f"Bearer {target.key}" if is_bearer else target.key


def _body(upload: Upload, target: Target) -> str:
    """The example as JSON, with a line for each member, and for each sample."""
    members = []
    for name, value in (upload.body or {}).items():
        text = json.dumps(value)
        if value is _SAMPLES:
            text = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
        members.append(f"  {json.dumps(name)}: {text}")
    return ("{\n" + ",\n".join(members) + "\n}").replace("{day}", target.day)


def _quoted(text: str) -> str:
    return json.dumps(text)


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

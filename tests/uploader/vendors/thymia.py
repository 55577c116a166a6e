"""thymia: upload user data (seed 000)."""

import re
import uuid
from typing import Any
from urllib.parse import unquote

from uploader.vendors.base import (
    Answer,
    Known,
    Rejected,
    Request,
    Stored,
    admit,
    check_method,
    check_plain,
    json_body,
    reject,
)

PREFIX = "/v1/user-data"
PATH = re.compile(r"/v1/user-data/([^/]+)")
INVALID = 422
"""The only error status in the document."""


def answer(request: Request, known: Known, stored: Stored) -> Answer:
    """Store a document.

    Raises:
        Rejected: the request violates the vendor's document.
    """
    match = PATH.fullmatch(request.path)
    if match is None:
        reject(404, "Not Found")
    check_method(request)
    keys = request.headers.get_all("x-api-key", [])
    if not keys:
        reject(INVALID, "Field required", "header", "x-api-key")
    admit(known, keys[0])
    check_plain(request)
    body = json_body(request, INVALID)
    upload_type = unquote(match[1])
    problems = _problems(body, upload_type, known.types)
    if problems:
        raise Rejected(INVALID, *problems)
    with stored.lock:
        stored.documents[body["user"]["userLabel"]].append((upload_type, body["data"]))
    return Answer(200, {"uploadId": str(uuid.uuid4())})


def _problems(
    body: Any, upload_type: str, types: set[str]
) -> list[tuple[tuple[str | int, ...], str]]:
    """All errors: `user.userLabel` must be a string, `data` an object, the type an agreed one."""
    problems: list[tuple[tuple[str | int, ...], str]] = []
    if upload_type not in types:
        problems.append((("path", "upload_type"), "not an agreed type"))
    if not isinstance(body, dict):
        return [*problems, (("body",), "not an object")]
    if not isinstance(body.get("user"), dict):
        problems.append((("body", "user"), "not an object"))
    elif not isinstance(body["user"].get("userLabel"), str):
        problems.append((("body", "user", "userLabel"), "not a string"))
    elif not body["user"]["userLabel"]:
        problems.append((("body", "user", "userLabel"), "is empty"))
    if not isinstance(body.get("data"), dict):
        problems.append((("body", "data"), "not an object"))
    return problems


def rejection(rejected: Rejected) -> Answer:
    """An `HTTPValidationError`; only `detail` for statuses that the document does not show."""
    if rejected.status != INVALID:
        return Answer(rejected.status, {"detail": str(rejected)})
    detail = [
        {"loc": list(place), "msg": why, "type": "value_error"} for place, why in rejected.reasons
    ]
    return Answer(INVALID, {"detail": detail})

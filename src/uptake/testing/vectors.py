"""Runs the vectors of a format, against its decoder and over HTTP."""

import hashlib
import re
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from uptake.formats.base import Credential, Format, Operation, UploadOperation, WireRequest
from uptake.formats.vectors import PLACEHOLDER, Vector, expanded, operation_of, vectors_of
from uptake.model.items import Attributes, Document, Image, Item, SampleBatch
from uptake.model.submission import Fault, Rejection, Submission
from uptake.samples import columns

SOME_MOMENT = 1_700_000_000_000_000
"""The time of receipt of requests that are only decoded."""

_PATTERNS = {
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "url": r"https?://[^/\s]+/\S+",
}
"""Regular expressions of placeholders."""


class Mismatch(AssertionError):
    """A vector failed; the message lists every difference."""


def check_decode(form: Format, vector: Vector) -> None:
    """Decode the request of an upload's vector and compare the submission.

    Raises:
        Mismatch: the submission differs, or a rejected item is not a part of the body.
    """
    operation = operation_of(form, vector)
    if not isinstance(operation, UploadOperation):
        return
    request = wire_request(form, vector)
    submission = operation.decode(request)
    found = differences(expanded(vector.submission), canonical(submission))
    found += [
        f"rejection {rejection.index}: its raw bytes are not a part of the body"
        for rejection in submission.rejections
        if rejection.raw not in request.body
    ]
    _raise_for(vector, found)


KEY_ID, SECRET = b"<key-id>", b"<key>"
"""In the body of a request that needs no API key: the id of the API key, and the key."""


def check_http(
    form: Format, vector: Vector, client: httpx2.Client, secret: str, key_id: str = ""
) -> None:
    """Send a vector's request and compare the answer.

    Args:
        form: the format.
        vector: the vector.
        client: its `base_url` is the server's.
        secret: an API key with the operation's scope, bound to the vector's user. Its project has
            the vector's document types alone.
        key_id: the id of the API key.

    Raises:
        Mismatch: status or body differ.
    """
    known = {one.name: one for one in vectors_of(form)} if vector.before else {}
    for name in vector.before:
        _send(form, known[name], client, secret, key_id)
    response = _send(form, vector, client, secret, key_id)
    found = differences(vector.reply.status, response.status_code, "status")
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        body = response.text
    _raise_for(vector, found + differences(expanded(vector.reply.body), body, "body"))


def _send(
    form: Format, vector: Vector, client: httpx2.Client, secret: str, key_id: str
) -> httpx2.Response:
    operation = operation_of(form, vector)
    credential = credential_of(operation, vector)
    headers, query = credential.carry(secret) if credential else ({}, {})
    content = vector.request.content
    if credential is None:
        content = content.replace(KEY_ID, key_id.encode()).replace(SECRET, secret.encode())
    return client.request(
        operation.method,
        path_of(operation, vector),
        params=dict(vector.request.query) | query,
        headers=vector.request.all_headers | headers,
        content=content,
    )


def wire_request(form: Format, vector: Vector) -> WireRequest:
    """The request of a vector as its format sees it."""
    operation = operation_of(form, vector)
    return WireRequest(
        request_id="vector",
        received_at=SOME_MOMENT,
        url="http://localhost" + path_of(operation, vector),
        public_url="http://localhost",
        path=vector.request.path,
        headers=vector.request.all_headers,
        body=vector.request.content,
        credential=credential_of(operation, vector),
        bound_user=vector.key.user,
    )


def path_of(operation: Operation, vector: Vector) -> str:
    """The path of a vector's request, percent-encoded."""
    return re.sub(
        "{([^}]+)}", lambda part: quote(vector.request.path[part[1]], safe=""), operation.path
    )


def credential_of(operation: Operation, vector: Vector) -> Credential | None:
    """The place of a vector's API key: the one it names, or the first one documented."""
    named = [found for found in operation.credentials if found.name == vector.key.place]
    return next(iter(named or operation.credentials), None)


def canonical(submission: Submission) -> dict[str, Any]:
    """A submission as JSON: samples as rows, images as digest and size, without defaults."""
    return {
        "items": [_item(item) for item in submission.items],
        "refusals": [_rejection(rejection) for rejection in submission.rejections],
    }


def _item(item: Item) -> dict[str, Any]:
    match item:
        case Document():
            shown = {"user_id": item.user_id, "type": item.type}
            shown["data"] = msgspec.json.decode(item.data)
            if item.idempotency_key is not None:
                shown["idempotency_key"] = item.idempotency_key
            return {"document": shown}
        case Attributes():
            return {"attributes": {"user_id": item.user_id, "values": item.mapping()}}
        case Image():
            sha256 = hashlib.sha256(item.content).hexdigest()
            return {
                "image": {"user_id": item.user_id, "sha256": sha256, "bytes": len(item.content)}
            }
        case SampleBatch():
            return {
                "samples": {
                    "user_id": item.user_id,
                    "metric": item.metric,
                    "received": item.received,
                    "rows": columns.rows(item.columns),
                }
            }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    shown: dict[str, Any] = {"index": rejection.index}
    if rejection.user_id:
        shown["user_id"] = rejection.user_id
    elif rejection.user_ids:
        shown["user_ids"] = list(rejection.user_ids)
    if rejection.document_type is not None:
        shown["document_type"] = rejection.document_type
    return {**shown, "faults": [_fault(fault) for fault in rejection.faults]}


def _fault(fault: Fault) -> dict[str, Any]:
    return {"code": fault.code, "message": fault.message, "place": list(fault.place)}


def differences(expected: Any, actual: Any, place: str = "submission") -> list[str]:
    """The differences between two JSON values; placeholders match."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = [f"{place}.{name}: missing" for name in expected.keys() - actual.keys()]
        found += [f"{place}.{name}: unexpected" for name in actual.keys() - expected.keys()]
        for name in expected.keys() & actual.keys():
            found += differences(expected[name], actual[name], f"{place}.{name}")
        return sorted(found)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            difference
            for i, (wanted, got) in enumerate(zip(expected, actual, strict=True))
            for difference in differences(wanted, got, f"{place}[{i}]")
        ]
    return [] if _matches(expected, actual) else [f"{place}: {expected!r} expected, not {actual!r}"]


def _matches(expected: Any, actual: Any) -> bool:
    if not isinstance(expected, str):
        return type(expected) is type(actual) and bool(expected == actual)
    placeholder = PLACEHOLDER.fullmatch(expected)
    kind = placeholder[1] if placeholder else "text"
    if kind == "int":
        return isinstance(actual, int) and not isinstance(actual, bool)
    if not isinstance(actual, str):
        return False
    if kind in _PATTERNS:
        return re.fullmatch(_PATTERNS[kind], actual) is not None
    parts = map(re.escape, re.split("<text(?::[^>]*)?>", expected))
    return re.fullmatch(".+".join(parts), actual, re.DOTALL) is not None


def _raise_for(vector: Vector, found: list[str]) -> None:
    if found:
        raise Mismatch("\n".join([f"{vector.operation}/{vector.name}:", *found]))

"""Decodes thymia's request into a document."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from uptake.formats.base import MALFORMED, WireRequest, parse
from uptake.formats.user_search import (
    UNREADABLE,
    Members,
    is_named,
    named_texts,
    owners_of,
    read,
    texts,
    texts_of,
)
from uptake.model.items import Document, user_id_fault
from uptake.model.submission import Fault, Owners, Submission, rejected

MAX_IDEMPOTENCY_KEY = 255
"""Characters of an Idempotency-Key; the vendor has no such header, so the limit is ours."""

_PRINTABLE = re.compile(r"[ -~]+")
"""The characters of an Idempotency-Key: those of a string in a header (RFC 9651, 3.3.3)."""

USER, LABEL = "user", "userLabel"


class _User(msgspec.Struct):
    userLabel: str


class _Upload(msgspec.Struct):
    user: _User
    data: msgspec.Raw


_decoder = msgspec.json.Decoder(_Upload)


def decode(request: WireRequest) -> Submission:
    """Returns the document of a request, or a rejection with every fault."""
    key = request.headers.get("idempotency-key") or None
    try:
        upload = _decoder.decode(request.body)
        # The decoder skips `Raw` without reading it: only this finds malformed numbers and bytes.
        parse(request.body)
    except (*MALFORMED, ValueError):
        upload = None
    faults = [] if upload and _is_valid(upload) else faults_of_body(request.body)
    if key:
        faults += _faults_of_key(key)
    if upload is None and not faults:
        # The decoder checks each of several members with one name, `parse` only the last.
        faults.append(Fault("json_invalid", "A member occurs more than once", ("body",)))
    type_name = request.path["upload_type"]
    if upload is None or faults:
        (rejection,) = rejected(faults, request.body, find(request)).rejections
        return Submission(rejections=(replace(rejection, document_type=type_name),))
    user_id, data = upload.user.userLabel, bytes(upload.data)
    return Submission((Document(user_id, type_name, data, key, request.bound_user),))


def _faults_of_key(key: str) -> list[Fault]:
    place = ("idempotency_key",)
    if len(key) > MAX_IDEMPOTENCY_KEY:
        message = f"must have at most {MAX_IDEMPOTENCY_KEY} characters"
        return [Fault("string_too_long", message, place)]
    if not _PRINTABLE.fullmatch(key):
        message = "must consist of printable ASCII characters"
        return [Fault("string_pattern_mismatch", message, place)]
    return []


def _is_valid(upload: _Upload) -> bool:
    return bytes(upload.data).startswith(b"{") and user_id_fault(upload.user.userLabel) is None


def faults_of_body(body: bytes) -> list[Fault]:
    """Every fault of a body, with the codes and messages of pydantic."""
    try:
        content = parse(body)
    except ValueError as error:
        return [Fault("json_invalid", f"JSON decode error: {error}", ("body",))]
    if not isinstance(content, dict):
        return [Fault("model_attributes_type", "Input should be a valid dictionary", ("body",))]
    faults = _faults_of_user(content)
    if "data" not in content:
        faults.append(Fault("missing", "Field required", ("body", "data")))
    elif not isinstance(content["data"], dict):
        faults.append(Fault("dict_type", "Input should be a valid dictionary", ("body", "data")))
    return faults


def _faults_of_user(content: dict[str, Any]) -> list[Fault]:
    if "user" not in content:
        return [Fault("missing", "Field required", ("body", "user"))]
    user = content["user"]
    if not isinstance(user, dict):
        message = "Input should be a valid dictionary"
        return [Fault("model_attributes_type", message, ("body", "user"))]
    place = ("body", "user", "userLabel")
    if "userLabel" not in user:
        return [Fault("missing", "Field required", place)]
    label = user["userLabel"]
    if not isinstance(label, str):
        return [Fault("string_type", "Input should be a valid string", place)]
    fault = user_id_fault(label)
    if fault is None:
        return []
    code = (
        "string_too_short" if not label else "value_error" if "\0" in label else "string_too_long"
    )
    return [Fault(code, f"The label {fault}", place)]


def find(request: WireRequest) -> Owners:
    """The users of a rejected request: `user.userLabel`, whatever its type is.

    Of several members with one name all count. `userLabel` beside `user`, and a text in the place
    of `user`, count too.
    """
    try:
        content = read(request.body)
    except UNREADABLE:
        return owners_of(named_texts(request.body, LABEL))
    return owners_of(_labels(content))


def _labels(content: Any) -> Iterator[str]:
    uploads = [content] if isinstance(content, Members) else content
    for upload in uploads if isinstance(uploads, list) else ():
        yield from texts_of(upload, LABEL)
        for name, value in upload if isinstance(upload, Members) else ():
            if is_named(name, USER):
                within = [one for one in _listed(value) if isinstance(one, Members)]
                for user in within:
                    yield from texts_of(user, LABEL)
                if not within:
                    yield from texts(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) and not isinstance(value, Members) else [value]

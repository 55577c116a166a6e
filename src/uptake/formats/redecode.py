"""Decodes rejected requests and items again."""

from collections.abc import Mapping

from msgspec.structs import replace

from uptake.formats.base import UploadOperation, WireRequest, parse
from uptake.formats.registry import UPLOADS
from uptake.model.submission import NO_OWNERS, Fault, Owners, Rejection, Submission

PATH, HEADER, BOUND_USER = "path ", "header ", "bound user"
STORED_HEADERS = ("content-type", "idempotency-key")
"""Headers that decoding a body needs. None of them has a secret."""


def context_of(request: WireRequest) -> dict[str, str]:
    """What decoding a request needs besides its body."""
    path = {PATH + name: value for name, value in request.path.items()}
    headers = request.headers
    stored = {HEADER + name: headers[name] for name in STORED_HEADERS if name in headers}
    bound = {} if request.bound_user is None else {BOUND_USER: request.bound_user}
    return path | stored | bound


def redecode(operation: UploadOperation, rejected: Rejection, request: WireRequest) -> Submission:
    """Returns the submission of a rejected request, or of a rejected item if each is validated.

    Args:
        operation: what was requested.
        rejected: its context is the item's, or `context_of` the request.
        request: the replaying request; its path, headers, body and bound user are replaced.

    Raises:
        Problem: as `operation.decode`.
    """
    if operation.decode_item is not None and rejected.index is not None:
        return operation.decode_item(rejected.raw, rejected.user_id, rejected.context)
    return operation.decode(
        replace(
            request,
            path=_named(PATH, rejected.context),
            headers=_named(HEADER, rejected.context),
            body=rejected.raw,
            bound_user=_bound_user(operation, rejected),
        )
    )


def _bound_user(operation: UploadOperation, rejected: Rejection) -> str | None:
    """The user that the API key of the rejected request was bound to."""
    if BOUND_USER in rejected.context:
        return rejected.context[BOUND_USER]
    # The context of older rejections lacks it.
    return rejected.user_id if operation.user_from_key else None


def object_fault(data: bytes) -> Fault | None:
    """The fault of bytes that are not a JSON object, or None."""
    try:
        content = parse(data)
    except ValueError as error:
        return Fault("json_invalid", f"JSON decode error: {error}", ("data",))
    if not isinstance(content, dict):
        return Fault("dict_type", "Input should be a valid dictionary", ("data",))
    return None


def find_users(name: str, body: bytes, context: Mapping[str, str]) -> Owners:
    """Returns the users of a rejected request, from its operation, its body and its `context_of`.

    An operation that is not installed any more finds no users.
    """
    operation = UPLOADS.get(name)
    if operation is None:
        return NO_OWNERS
    path = _named(PATH, context)
    return operation.find_users(WireRequest("", 0, "", "", path=path, body=body))


def _named(prefix: str, context: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in context.items()
        if name.startswith(prefix)
    }

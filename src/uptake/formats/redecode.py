"""What was rejected, decoded again: as a request of its own, or as the item it was."""

from collections.abc import Mapping

from msgspec.structs import replace

from uptake.formats.base import UploadOperation, WireRequest, parse
from uptake.model.submission import Fault, Owners, Rejection, Submission

PATH, HEADER, BOUND_USER = "path ", "header ", "bound user"
KEPT_HEADERS = ("content-type", "idempotency-key")
"""Headers without which a body cannot be read again. None of them carries a secret."""


def context_of(request: WireRequest) -> dict[str, str]:
    """What must be known besides its body to decode a request again."""
    path = {PATH + name: value for name, value in request.path.items()}
    headers = request.headers
    kept = {HEADER + name: headers[name] for name in KEPT_HEADERS if name in headers}
    bound = {} if request.bound_user is None else {BOUND_USER: request.bound_user}
    return path | kept | bound


def redecode(operation: UploadOperation, rejected: Rejection, request: WireRequest) -> Submission:
    """The submission of a rejected request, or of a rejected item where the wire judges each.

    Args:
        operation: that it was sent to.
        rejected: what was rejected; its context is that of the item, or `context_of` the request.
        request: what asks for this; all else of the request that it stands for is put in here.

    Raises:
        Problem: as the operation's own `decode`.
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
    """Why bytes that take the place of a document are none; None where they are a JSON object."""
    try:
        content = parse(data)
    except ValueError as error:
        return Fault("json_invalid", f"JSON decode error: {error}", ("data",))
    if not isinstance(content, dict):
        return Fault("dict_type", "Input should be a valid dictionary", ("data",))
    return None


def users_of_rejection(
    operation: UploadOperation, body: bytes, context: Mapping[str, str]
) -> Owners:
    """The users of a rejected request, from its body and its `context_of`."""
    path = _named(PATH, context)
    return operation.find_users(WireRequest("", 0, "", "", path=path, body=body))


def _named(prefix: str, context: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in context.items()
        if name.startswith(prefix)
    }

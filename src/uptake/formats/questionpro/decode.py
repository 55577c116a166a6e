"""From QuestionPro's multipart form to an image."""

from multipart import parse_options_header

from uptake.formats.base import IMAGE_LIMIT, WireRequest
from uptake.formats.questionpro.form import BadForm, split
from uptake.formats.questionpro.wire import INVALID_PARAMETERS, number_of
from uptake.formats.user_search import one_user
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Owners, Submission, rejected

FIELD = "file"

_SEND_MULTIPART = (
    "Send the image itself as multipart/form-data with one part named file; "
    "the server cannot read a path on the client's disk"
)

_NO_BOUNDARY = (
    "The Content-Type has no boundary: send multipart/form-data; boundary=..., "
    "which HTTP clients do by default, if the header is not set explicitly"
)


def find(request: WireRequest) -> Owners:
    """The user of a rejected request: the one in its path, an integer or not."""
    return one_user(request.path.get("user-id", ""))


class _NoImage(ValueError):
    """The form has no image; the message is for the sender."""


def decode(request: WireRequest) -> Submission:
    """Returns the image of a request, or the reason why there is none.

    Raises:
        Problem: `TOO_LARGE`, when the image alone is larger than `IMAGE_LIMIT`.
    """
    user_id, faults, content = request.path["user-id"], [], b""
    if number_of(user_id) is None:
        faults.append(Fault("invalid_user_id", INVALID_PARAMETERS))
    try:
        content = _file_of(request)
    except _NoImage as reason:
        faults.append(Fault("no_image", str(reason)))
    if faults:
        return rejected(faults, request.body, find(request))
    if len(content) > IMAGE_LIMIT:
        raise Problem(Kinds.TOO_LARGE, f"The image is over {IMAGE_LIMIT // 1024**2} MiB")
    return Submission(items=(Image(user_id, content),))


def _file_of(request: WireRequest) -> bytes:
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type != "multipart/form-data":
        raise _NoImage(_SEND_MULTIPART)
    boundary = options.get("boundary")
    if not boundary:
        # The vendor's samples send a path as JSON or as a form field, and call it multipart.
        is_form = request.body[:100].lstrip().startswith(b"--")
        raise _NoImage(_NO_BOUNDARY if is_form else _SEND_MULTIPART)
    try:
        parts = split(request.body, boundary.encode("latin-1", "replace"))
    except BadForm as reason:
        raise _NoImage(f"The multipart form cannot be read or is truncated: {reason}") from None
    files = [part.content for part in parts if part.name == FIELD]
    if not files:
        raise _NoImage("The form has no part named file")
    # Browsers send an empty part for a field without a chosen file.
    chosen = [content for content in files if content] or files[:1]
    if len(chosen) > 1:
        raise _NoImage("The form has more than one part named file")
    return chosen[0]

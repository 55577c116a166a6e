"""From QuestionPro's multipart form to an image."""

import re

from multipart import parse_options_header

from uptake.formats.base import IMAGE_LIMIT, WireRequest
from uptake.formats.questionpro.form import BadForm, split
from uptake.formats.user_search import about
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Owners, Submission, rejected

FIELD = "file"
_USER_ID = re.compile(r"[1-9][0-9]{0,18}")
MAX_USER_NUMBER = (1 << 63) - 1
"""Largest `user-id`: the vendor's pages say integer, and a 64-bit one is what its clients hold."""

_SEND_MULTIPART = (
    "Send the image itself as multipart/form-data with one part named file; "
    "a path on the client's disk cannot be read from here"
)

_NO_BOUNDARY = (
    "The Content-Type has no boundary: send multipart/form-data; boundary=..., "
    "as HTTP clients do by themselves when the header is not set by hand"
)


def find(request: WireRequest) -> Owners:
    """The user of a request that is rejected: that of its path, an integer or not."""
    return about(request.path.get("user-id", ""))


class _NoImage(ValueError):
    """Why a form holds no image; the message is for the sender."""


def decode(request: WireRequest) -> Submission:
    """The image of a request, or the reason why there is none.

    Raises:
        Problem: `TOO_LARGE`, when the image alone is larger than `IMAGE_LIMIT`.
    """
    user_id, faults, content = request.path["user-id"], [], b""
    if not _USER_ID.fullmatch(user_id) or int(user_id) > MAX_USER_NUMBER:
        faults.append(Fault("invalid_user_id", "Invalid URL parameters"))
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
        # The vendor's samples send a path as JSON or as a form's field, and call that multipart.
        is_form = request.body[:100].lstrip().startswith(b"--")
        raise _NoImage(_NO_BOUNDARY if is_form else _SEND_MULTIPART)
    try:
        parts = split(request.body, boundary.encode("latin-1", "replace"))
    except BadForm as reason:
        raise _NoImage(f"The multipart form cannot be read or is truncated: {reason}") from None
    files = [part.content for part in parts if part.name == FIELD]
    if not files:
        raise _NoImage("The form has no part named file")
    # Browsers send an empty part for a field in which no file was chosen.
    chosen = [content for content in files if content] or files[:1]
    if len(chosen) > 1:
        raise _NoImage("The form has more than one part named file")
    return chosen[0]

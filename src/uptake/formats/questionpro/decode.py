"""From QuestionPro's multipart form to an image."""

import re

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from uptake.formats.base import IMAGE_LIMIT, WireRequest
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Submission, refused

FIELD = "file"
MAX_PARTS = 20
"""The form has one part; a few more do no harm."""

_USER_ID = re.compile(r"[1-9][0-9]{0,18}")
MAX_USER_NUMBER = (1 << 63) - 1
"""Largest `user-id`: the vendor's pages say integer, and a 64-bit one is what its clients hold."""

_SEND_MULTIPART = (
    "Send the image itself as multipart/form-data with one part named file; "
    "a path on the client's disk cannot be read from here"
)


class _NoImage(ValueError):
    """Why a form holds no image; the message is for the sender."""


def decode(request: WireRequest) -> Submission:
    """The image of a request, or the reason why there is none.

    Raises:
        Problem: `TOO_LARGE`, when the image alone is larger than `IMAGE_LIMIT`.
    """
    user_id = request.path["user-id"]
    if not _USER_ID.fullmatch(user_id) or int(user_id) > MAX_USER_NUMBER:
        return refused([Fault("invalid_user_id", "Invalid URL parameters")], request.body)
    try:
        content = _file_of(request)
    except _NoImage as reason:
        return refused([Fault("no_image", str(reason))], request.body, user_id)
    if len(content) > IMAGE_LIMIT:
        raise Problem(Kinds.TOO_LARGE, f"The image is over {IMAGE_LIMIT // 1024**2} MiB")
    return Submission(items=(Image(user_id, content),))


def _file_of(request: WireRequest) -> bytes:
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type != "multipart/form-data" or not options.get("boundary"):
        raise _NoImage(_SEND_MULTIPART)
    try:
        files = _files(request.body, options["boundary"])
    except (MultipartError, UnicodeError) as error:
        raise _NoImage(f"The multipart form cannot be read or is truncated: {error}") from error
    if not files:
        raise _NoImage("The form has no part named file")
    if len(files) > 1:
        raise _NoImage("The form has more than one part named file")
    return files[0]


def _files(body: bytes, boundary: str) -> list[bytes]:
    files: list[list[bytes]] = []
    part: list[bytes] = []
    with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                part = []
                if event.name == FIELD:
                    files.append(part)
            elif event:
                part.append(bytes(event))
    return [b"".join(chunks) for chunks in files]

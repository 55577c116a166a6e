"""QuestionPro: upload of a user's image (seed 002)."""

import re
from email.message import Message
from email.parser import BytesHeaderParser

from uploader.vendors.base import (
    Answer,
    Known,
    Rejected,
    Request,
    Stored,
    admit,
    check_method,
    check_plain,
    reject,
)

PREFIX = "/a/api/"
PATH = re.compile(r"/a/api/v2/users/([^/]+)/images")
INTEGER = re.compile(r"-?[0-9]{1,18}")
BAD_REQUEST = 400
MEBIBYTE = 1024 * 1024
FIRST_IMAGE = 1000011
IMAGE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", re.DOTALL)
NAMES = {
    400: ("BAD_REQUEST", "1000"),
    401: ("UNAUTHORIZED", "1010"),
    403: ("FORBIDDEN", "1013"),
    404: ("NOT_FOUND", "1040"),
    405: ("METHOD_NOT_ALLOWED", "1000"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "1000"),
}


def answer(request: Request, known: Known, stored: Stored) -> Answer:
    """Store an image.

    Raises:
        Rejected: the request violates the vendor's document.
    """
    match = PATH.fullmatch(request.path)
    if match is None:
        reject(404, "The resource that you're trying to access doesn't exist")
    check_method(request)
    keys = request.query.get("apiKey", [])
    admit(known, keys[0] if len(keys) == 1 else None)
    if INTEGER.fullmatch(match[1]) is None:
        reject(BAD_REQUEST, "Invalid URL parameters")
    check_plain(request)
    content = _file(request)
    if IMAGE.match(content) is None:
        reject(BAD_REQUEST, "file is not an image")
    with stored.lock:
        stored.images[str(int(match[1]))].append(content)
        number = FIRST_IMAGE + sum(len(images) for images in stored.images.values()) - 1
    url = f"https://www.questionpro.com/qp_userimages/sub-3/{number}.png"
    return Answer(
        200, {"response": {"imageID": number, "imageURL": url, "size": _size(len(content))}}
    )


def _file(request: Request) -> bytes:
    """The content of `file`, the only part of a form (RFC 7578)."""
    boundary = request.headers.get_param("boundary")
    if request.headers.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        reject(BAD_REQUEST, "Content-Type is not multipart/form-data with a boundary")
    first, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())
    if first or not parts or parts.pop().rstrip(b"\r\n") != b"--":
        reject(BAD_REQUEST, "the form does not begin and end with its boundary")
    if len(parts) != 1:
        reject(BAD_REQUEST, "the form does not have exactly one part")
    head, found, content = parts[0].partition(b"\r\n\r\n")
    headers: Message = BytesHeaderParser().parsebytes(head.removeprefix(b"\r\n"))
    kind = headers.get_content_disposition()
    name = headers.get_param("name", header="Content-Disposition")
    if not found or kind != "form-data" or name != "file" or not headers.get_filename():
        reject(BAD_REQUEST, "the form's part is not a file named file")
    return content


def _size(count: int) -> str:
    return f"{count / MEBIBYTE:.1f} Mb" if count >= MEBIBYTE else f"{max(1, count // 1024)} Kb"


def rejection(rejected: Rejected) -> Answer:
    """The error with the six required members of the schema."""
    name, number = NAMES[rejected.status]
    message = "Incorrect API Key" if rejected.status == 401 else str(rejected)
    error = {
        "docs": "www.questionpro.com/api/error-codes.html",
        "name": name,
        "httpStatusCode": rejected.status,
        "id": number,
        "message": message,
        "resourceUrl": "resource_url",
    }
    return Answer(rejected.status, {"response": {"error": error}})

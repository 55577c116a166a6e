"""QuestionPro's requests from images, and the outcome of an image from its answers."""

import hashlib

import msgspec

from uptake.formats.base import IMAGE_LIMIT, MALFORMED
from uptake.formats.encoder import ImagesWire, Rejected, Verdict, unreadable
from uptake.formats.questionpro.wire import MAX_NUMBER, QUERY_KEY, Failed, Uploaded, number_of

_uploaded = msgspec.json.Decoder(Uploaded)
_failed = msgspec.json.Decoder(Failed)


def user_fault(user_id: str) -> str | None:
    """Why the page does not allow a user id, or None: ids in its paths are integers."""
    if number_of(user_id):
        return None
    return f"the user id must be an integer from 1 to {MAX_NUMBER} without leading zeros"


def form(name: str, content: bytes) -> tuple[str, bytes]:
    """A form (RFC 7578) with the one part `file`; the same image always makes the same form."""
    boundary = hashlib.sha256(content).hexdigest()
    quoted = "".join("_" if char in '"\\' or not char.isprintable() else char for char in name)
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = f"\r\n--{boundary}--\r\n"
    body = head.encode() + content + tail.encode()
    return f"multipart/form-data; boundary={boundary}", body


def read(status: int, body: bytes, count: int) -> Verdict:  # noqa: ARG001 - one image
    """Returns the image's address, or the reason why there is none.

    Raises:
        Unclear: the body is not one of this endpoint.
    """
    try:
        if status == 200:
            return Verdict(reference=_uploaded.decode(body).response.imageURL)
        failed = _failed.decode(body).response.error
    except MALFORMED:
        return unreadable(status, body, 0)
    return Verdict((Rejected(0, failed.name, failed.message),))


WIRES = (
    ImagesWire(
        name="questionpro",
        path="/a/api/v2/users/{user-id}/images",
        credential=QUERY_KEY,
        read=read,
        user_in_path="user-id",
        user_fault=user_fault,
        most_bytes=IMAGE_LIMIT,
        form=form,
        is_default=True,
    ),
)

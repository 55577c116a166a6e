"""QuestionPro's answers."""

from msgspec import UNSET

from uptake.formats.base import IMAGES_PATH, WireReply, WireRequest, answer
from uptake.formats.questionpro.wire import (
    DOCS,
    ERRORS,
    HEADER_KEY,
    MESSAGES,
    Error,
    ErrorResponse,
    Failed,
    Image,
    Uploaded,
)
from uptake.model.problems import Problem
from uptake.model.receipt import Receipt, StoredImage

KIB = 1024
MIB = 1024 * KIB


def size_text(size: int) -> str:
    """A size in bytes in the vendor's form: `137 Kb`, `1 Mb`, `1.5 Mb`."""
    if size < MIB:
        return f"{max(1, round(size / KIB))} Kb"
    return f"{size / MIB:.1f}".removesuffix(".0") + " Mb"


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 with the image's number, address and size, or 400 with the reason."""
    for stored in receipt.stored:
        if isinstance(stored, StoredImage):
            url = request.public_url + IMAGES_PATH + stored.name
            newer_form = request.credential == HEADER_KEY
            return answer(
                200,
                Uploaded(
                    Image(stored.image_id, url, size_text(stored.uploaded_bytes)),
                    request.request_id if newer_form else UNSET,
                ),
            )
    return _failed(400, receipt.rejections[0].faults[0].message, request)


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem in QuestionPro's envelope."""
    return _failed(problem.status, MESSAGES.get(problem.status, problem.detail), request)


def _failed(status: int, message: str, request: WireRequest) -> WireReply:
    name, number = ERRORS[status]
    error = Error(DOCS, name, status, number, message, request.url)
    return answer(status, Failed(ErrorResponse(error)))

"""QuestionPro's answers."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from uptake.formats.base import IMAGES_PATH, WireReply, WireRequest, answer
from uptake.formats.questionpro.wire import (
    DOCS,
    ERRORS,
    HEADER_KEY,
    MESSAGES,
    Deleted,
    Error,
    ErrorResponse,
    Failed,
    Found,
    Image,
    ImageNumber,
    Listed,
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
            return answer(200, Uploaded(_image(stored, request), _request_id(request)))
    return _failed(400, receipt.rejections[0].faults[0].message, request)


def found(image: StoredImage, request: WireRequest) -> WireReply:
    """200 with one image. This answer has a `requestID` wherever the API key was."""
    return answer(200, Found(_image(image, request), request.request_id))


def listed(images: Sequence[StoredImage], request: WireRequest) -> WireReply:
    """200 with a page of images."""
    shown = [_image(image, request) for image in images]
    return answer(200, Listed(shown, _request_id(request)))


def deleted(image: StoredImage, request: WireRequest) -> WireReply:
    """200 with the number of the deleted image."""
    return answer(200, Deleted(ImageNumber(image.image_id), _request_id(request)))


def _image(image: StoredImage, request: WireRequest) -> Image:
    url = request.public_url + IMAGES_PATH + image.name
    return Image(image.image_id, url, size_text(image.uploaded_bytes))


def _request_id(request: WireRequest) -> str | UnsetType:
    """The request's id, if the API key was in the header: the older form has none."""
    return request.request_id if request.credential == HEADER_KEY else UNSET


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem in QuestionPro's envelope."""
    return _failed(problem.status, MESSAGES.get(problem.status, problem.detail), request)


def _failed(status: int, message: str, request: WireRequest) -> WireReply:
    name, number = ERRORS[status]
    error = Error(DOCS, name, status, number, message, request.url)
    return answer(status, Failed(ErrorResponse(error)))

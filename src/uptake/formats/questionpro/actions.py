"""From QuestionPro's requests for stored images to the actions of the server."""

from uptake.formats.base import DeleteImage, GetImage, ListImages, WireRequest
from uptake.formats.questionpro.wire import (
    INVALID_PARAMETERS,
    MAX_NUMBER,
    MAX_PER_PAGE,
    number_of,
)
from uptake.model.problems import Kinds, Problem


def list_user_images(request: WireRequest) -> ListImages:
    """A page of a user's images.

    Raises:
        Problem: `BAD_REQUEST`, for an invalid path or query.
    """
    return _page(_user_id(request), request)


def list_images(request: WireRequest) -> ListImages:
    """A page of the images of all users.

    Raises:
        Problem: `BAD_REQUEST`, for an invalid query.
    """
    return _page(None, request)


def get_user_image(request: WireRequest) -> GetImage:
    """One image of a user.

    Raises:
        Problem: `BAD_REQUEST`, for an invalid user id; `NOT_FOUND`, for what is no number.
    """
    return GetImage(_user_id(request), _image_id(request))


def delete_image(request: WireRequest) -> DeleteImage:
    """The deletion of an image.

    Raises:
        Problem: `NOT_FOUND`, for what is no number.
    """
    return DeleteImage(_image_id(request))


def _user_id(request: WireRequest) -> str:
    user_id = request.path["user-id"]
    if number_of(user_id) is None:
        raise Problem(Kinds.BAD_REQUEST, INVALID_PARAMETERS)
    return user_id


def _image_id(request: WireRequest) -> int:
    image_id = number_of(request.path["image-id"])
    if image_id is None:
        raise Problem(Kinds.NOT_FOUND)
    return image_id


def _page(user_id: str | None, request: WireRequest) -> ListImages:
    page = number_of(request.query.get("page", "1"))
    per_page = number_of(request.query.get("perPage", str(MAX_PER_PAGE)))
    if page is None or per_page is None or per_page > MAX_PER_PAGE:
        raise Problem(Kinds.BAD_REQUEST, INVALID_PARAMETERS)
    # The database counts with 64 bits too; no project has so many images.
    return ListImages(user_id, min((page - 1) * per_page, MAX_NUMBER), per_page)

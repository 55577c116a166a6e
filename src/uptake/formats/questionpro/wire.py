"""The bodies of QuestionPro's operations on images, after its published pages and JSON Schemas.

By the older page, the API key is in the query and answers have no `requestID`; by the newer page it
is in the `api-key` header and answers have one.
"""

import re

from msgspec import UNSET, Struct, UnsetType

from uptake.formats.base import Credential, Place

QUERY_KEY = Credential(Place.QUERY, "apiKey")
HEADER_KEY = Credential(Place.HEADER, "api-key")

MULTIPART_OVERHEAD = 64 * 1024
"""Bytes for boundaries, part headers and other parts around an image of the largest size."""

FORM_SCHEMA = {
    "type": "object",
    "properties": {
        "file": {
            "type": "string",
            "format": "binary",
            "description": "A PNG, JPEG, GIF or WebP image",
        }
    },
    "required": ["file"],
}

FIRST_IMAGE_ID = 1_000_001
"""Number of the first image of a project. Numbers of stored images continue from it."""

MAX_NUMBER = (1 << 63) - 1
"""Largest number in a request: the vendor documents integers, and its clients have 64 bits."""

MAX_PER_PAGE = 100
"""Images of a page, and the default, after the vendor's page on limits."""

PAGE_PARAMETERS = {
    "page": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER, "default": 1},
    "perPage": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_PER_PAGE,
        "default": MAX_PER_PAGE,
    },
}

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")

INVALID_PARAMETERS = "Invalid URL parameters"
"""The vendor's message about an invalid path or query."""

DOCS = "www.questionpro.com/api/error-codes.html"


class Image(Struct):
    """A stored image: its number, its address and its size as text."""

    imageID: int
    imageURL: str
    size: str


class Uploaded(Struct):
    """The answer: 200; `requestID` only if the API key was in the `api-key` header."""

    response: Image
    requestID: str | UnsetType = UNSET


class Listed(Struct):
    """A page of images, the last uploaded first; `requestID` as in `Uploaded`."""

    response: list[Image]
    requestID: str | UnsetType = UNSET


class Found(Struct):
    """One image."""

    response: Image
    requestID: str


class ImageNumber(Struct):
    """The number of a deleted image."""

    imageID: int


class Deleted(Struct):
    """The answer to a deletion; `requestID` as in `Uploaded`."""

    response: ImageNumber
    requestID: str | UnsetType = UNSET


class Error(Struct):
    """An error; `id` is the vendor's number of it, as a string."""

    docs: str
    name: str
    httpStatusCode: int
    id: str
    message: str
    resourceUrl: str


class ErrorResponse(Struct):
    """The envelope's inner part."""

    error: Error


class Failed(Struct):
    """Every failure."""

    response: ErrorResponse


ERRORS = {
    400: ("BAD_REQUEST", "1000"),
    401: ("UNAUTHORIZED", "1010"),
    403: ("FORBIDDEN", "1013"),
    404: ("NOT_FOUND", "1040"),
    405: ("METHOD_NOT_ALLOWED", "1000"),
    408: ("REQUEST_TIMEOUT", "1000"),
    413: ("PAYLOAD_TOO_LARGE", "1000"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "1000"),
    429: ("TOO_MANY_REQUESTS", "1013"),
    500: ("INTERNAL_SERVER_ERROR", "1026"),
    503: ("SERVICE_UNAVAILABLE", "1026"),
}
"""Status to `name` and `id`."""

MESSAGES = {
    401: "Incorrect API Key",
    403: "The user does not have permission to access the resource",
    404: "The resource that you're trying to access doesn't exist",
}
"""Messages that the vendor documents."""


def number_of(text: str) -> int | None:
    """An integer from 1, written without a sign or leading zeros; None for any other text."""
    if _NUMBER.fullmatch(text) is None or int(text) > MAX_NUMBER:
        return None
    return int(text)

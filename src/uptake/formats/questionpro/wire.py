"""The bodies of QuestionPro's image upload, after its published pages and JSON Schemas.

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
            "contentMediaType": "application/octet-stream",
            "description": "A PNG, JPEG, GIF or WebP image",
        }
    },
    "required": ["file"],
}

FIRST_IMAGE_ID = 1_000_001
"""Number of the first image of a project. Numbers of stored images continue from it."""

MAX_USER_ID = (1 << 63) - 1
"""Largest `user-id`: the vendor documents an integer, and its clients have 64 bits."""

_USER_ID = re.compile(r"[1-9][0-9]{0,18}")

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


def is_user_id(text: str) -> bool:
    """Whether a text is a `user-id`: an integer from 1, without a sign or leading zeros."""
    return _USER_ID.fullmatch(text) is not None and int(text) <= MAX_USER_ID

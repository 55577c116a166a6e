"""The bodies of QuestionPro's image upload, after its published pages and JSON Schemas.

The older page carries the key in the query and answers without `requestID`; the newer one carries
it in the `api-key` header and answers with it.
"""

from msgspec import UNSET, Struct, UnsetType

from uptake.formats.base import Credential, Place

QUERY_KEY = Credential(Place.QUERY, "apiKey")
HEADER_KEY = Credential(Place.HEADER, "api-key")

MULTIPART_OVERHEAD = 64 * 1024
"""Bytes granted to boundaries, part headers and other parts around an image of the largest size."""

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

DOCS = "www.questionpro.com/api/error-codes.html"


class Image(Struct):
    """An image that is kept: its number, its address and its size in words."""

    imageID: int
    imageURL: str
    size: str


class Uploaded(Struct):
    """The answer: 200; `requestID` only when the key came in the `api-key` header."""

    response: Image
    requestID: str | UnsetType = UNSET


class Error(Struct):
    """What went wrong; `id` is the vendor's number for it, as a string."""

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
"""Where the vendor's own words are documented, they are used."""

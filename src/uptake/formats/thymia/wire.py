"""The bodies of thymia's user-data upload, after its published OpenAPI document."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from uptake.model.items import MAX_USER_ID


class User(Struct):
    """The document's user."""

    userLabel: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_USER_ID,
            description="A unique label identifying a user in your systems",
        ),
    ]


class Upload(Struct):
    """The request."""

    user: User
    data: Annotated[
        dict[str, Any],
        Meta(description="An object that is valid against the JSON Schema of its type"),
    ]


class Uploaded(Struct):
    """The answer: 200."""

    uploadId: Annotated[
        str,
        Meta(
            description="The id assigned to the uploaded user data",
            extra_json_schema={"format": "uuid"},
        ),
    ]


class Account(Struct):
    """The account of an API key: the project, and what the API key may do."""

    id: str
    features: list[str]


class ValidationError(Struct):
    """One fault; `loc` is its path from `body`, `path` or `header`."""

    loc: list[str | int]
    msg: str
    type: str


class Invalid(Struct):
    """The answer: 422, with every fault."""

    detail: list[ValidationError]


class Detail(Struct):
    """Every other failure."""

    detail: str

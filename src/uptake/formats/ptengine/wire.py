"""The bodies of Ptengine's user attribute upload, after its published page."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_FIELDS = 50
MAX_NAME = 50
MAX_ROWS = 100
MAX_VALUE = 128
"""Limits of the page's section 3: fields, characters of a name, users, characters of a value."""

USER_ID = "user_id"

Value = Annotated[str, Meta(max_length=MAX_VALUE)] | float | bool


class Upload(Struct):
    """The request: `values` has a row for each user, in the order of `field_name`."""

    field_name: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]],
        Meta(min_length=1, max_length=MAX_FIELDS, description="Distinct; one of them is user_id"),
    ]
    values: Annotated[list[list[Value]], Meta(min_length=1, max_length=MAX_ROWS)]


class Answer(Struct):
    """Every answer: `Success`, or the reason for the failure; the time in Unix seconds."""

    msg: str
    timestamp: int

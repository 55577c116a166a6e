"""Finds the users of thymia's request, whatever faults it has."""

from collections.abc import Iterator
from typing import Any

from uptake.formats.base import WireRequest
from uptake.formats.user_search import (
    UNREADABLE,
    Members,
    is_named,
    named_texts,
    owners_of,
    read,
    texts,
    texts_of,
)
from uptake.model.submission import Owners

USER, LABEL = "user", "userLabel"


def find(request: WireRequest) -> Owners:
    """The users of a rejected request: `user.userLabel`, whatever its type is.

    Of several members with one name all count. `userLabel` beside `user`, and a text in the place
    of `user`, count too.
    """
    try:
        content = read(request.body)
    except UNREADABLE:
        return owners_of(named_texts(request.body, LABEL))
    return owners_of(_labels(content))


def _labels(content: Any) -> Iterator[str]:
    uploads = [content] if isinstance(content, Members) else content
    for upload in uploads if isinstance(uploads, list) else ():
        yield from texts_of(upload, LABEL)
        for name, value in upload if isinstance(upload, Members) else ():
            if is_named(name, USER):
                within = [one for one in _listed(value) if isinstance(one, Members)]
                for user in within:
                    yield from texts_of(user, LABEL)
                if not within:
                    yield from texts(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) and not isinstance(value, Members) else [value]

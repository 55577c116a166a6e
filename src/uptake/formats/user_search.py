"""Searches rejected bodies, malformed ones included, for the users that they name.

A user too many costs little: the rejection is also listed under that user, and erased with it. A
user too few means data that an erasure leaves behind. So any text in the place of a user id counts,
whatever the rest of the body is like.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from uptake.model.items import MAX_USER_ID, user_id_fault
from uptake.model.shares import MAX_USERS
from uptake.model.submission import NO_OWNERS, Owners

MAX_VALUES_READ = 100_000
"""Values read in a body, which bounds the time: more than 20 times what any operation accepts."""

BYTE_ORDER_MARK = "\ufeff"


class Members(list[tuple[str, Any]]):
    """The members of a JSON object, in order; a name may occur more than once."""


decoder = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=str, parse_float=str, parse_constant=str, strict=False
)
"""Reads JSON leniently, and numbers as their text."""

UNREADABLE = (ValueError, RecursionError)
"""What `decoder` raises."""


def read(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        ValueError, RecursionError: the body is not JSON.
    """
    return decoder.decode(body.decode().removeprefix(BYTE_ORDER_MARK))


def is_named(name: Any, wanted: str) -> bool:
    """Whether names are equal, except for case, underscores, hyphens and blanks."""
    return isinstance(name, str) and _plain(name) == _plain(wanted)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def texts(value: Any) -> Iterator[str]:
    """The texts, numbers and booleans in a value, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Members):
            waiting += [inner for _, inner in reversed(one)]
        elif isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, bool):
            yield "true" if one else "false"
        elif isinstance(one, str):
            yield one


def texts_of(members: Any, wanted: str) -> Iterator[str]:
    """The texts in the members of an object that have this name."""
    if isinstance(members, Members):
        for name, value in members:
            if is_named(name, wanted):
                yield from texts(value)


def owners_of(found: Iterable[str]) -> Owners:
    """The texts that can be user ids."""
    user_ids: dict[str, None] = {}
    for read_so_far, text in enumerate(found):
        if read_so_far >= MAX_VALUES_READ or len(user_ids) > MAX_USERS:
            return Owners(tuple(user_ids), uncounted=True)
        if is_user_id(text):
            user_ids[text] = None
    return Owners(tuple(user_ids)) if user_ids else NO_OWNERS


def users_named(body: bytes, wanted: str) -> Owners:
    """The users in the member of this name, of a body or of each body in a list."""
    try:
        content = read(body)
    except UNREADABLE:
        return owners_of(named_texts(body, wanted))
    bodies = [content] if isinstance(content, Members) else content
    listed = bodies if isinstance(bodies, list) else []
    return owners_of(text for one in listed for text in texts_of(one, wanted))


def one_user(user_id: str) -> Owners:
    """The user of a request, if its body does not name one."""
    return owners_of([user_id])


def is_user_id(text: str) -> bool:
    """Whether a text can be a user id, and can be stored."""
    if user_id_fault(text) is not None:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def named_texts(body: bytes, wanted: str) -> Iterator[str]:
    """The values after this name in bytes that are not JSON.

    For `userLabel`: `"userLabel": "42"`, `'userLabel': '42'`, `userLabel=42`.
    """
    name = "[_-]?".join(re.split(r"_|(?=[A-Z])", wanted))
    pattern = rf"(?<![A-Za-z0-9])(?i:{name})[\"']?\s*[:=]\s*({_STRING.pattern}|{_WORD.pattern})"
    for match in re.finditer(pattern.encode(), body):
        text = text_of(match[1].decode("utf-8", "surrogateescape"))
        if text is not None:
            yield text


_LENGTH = 12 * MAX_USER_ID
"""Bytes of a user id in quotes: at most two escapes for each character."""

_STRING = re.compile(rf'"(?:[^"\\]|\\.){{0,{_LENGTH}}}"' + rf"|'(?:[^'\\]|\\.){{0,{_LENGTH}}}'")
_WORD = re.compile(rf"[^\s\"',:;&=\[\]{{}}]{{1,{_LENGTH}}}")


def text_of(word: str) -> str | None:
    """The text of a string literal or of a word; None for null and for a malformed literal."""
    if word[:1] not in {'"', "'"}:
        return None if word == "null" else word
    inner = word[1:-1]
    if word[0] == "'":
        inner = inner.replace('"', '\\"')
    try:
        value, _ = decoder.raw_decode(f'"{inner}"')
    except UNREADABLE:
        return None
    return str(value)

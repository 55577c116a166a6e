"""Finding users in bodies that are rejected, malformed ones included.

A user that is found too often costs little: the rejection is listed under one user more, and erased
with it. A user that is missed is data that an erasure leaves behind. So where a body is not as the
wire wants it, whatever is in a user's place counts.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from uptake.model.items import MAX_USER_ID, user_id_fault
from uptake.model.shares import MAX_USERS
from uptake.model.submission import NOBODY, Owners

MAX_VALUES_READ = 100_000
"""Values looked at in a body, which bounds the time: more than 20 times what any wire takes."""

BYTE_ORDER_MARK = "\ufeff"


class Members(list[tuple[str, Any]]):
    """A JSON object as it is written: a name may occur more than once."""


decoder = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=str, parse_float=str, parse_constant=str, strict=False
)
"""Reads JSON with numbers as their text, and forgives what does not keep it from being read."""

UNREADABLE = (ValueError, RecursionError)
"""What `decoder` raises."""


def read(body: bytes) -> Any:
    """A body's value.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    return decoder.decode(body.decode().removeprefix(BYTE_ORDER_MARK))


def is_named(name: Any, wanted: str) -> bool:
    """Whether a member's name is the wanted one but for case, underscores, hyphens and blanks."""
    return isinstance(name, str) and _plain(name) == _plain(wanted)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def texts(value: Any) -> Iterator[str]:
    """The texts, numbers and booleans in a value, however deep."""
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
    """The texts in the members of this name of an object."""
    if isinstance(members, Members):
        for name, value in members:
            if is_named(name, wanted):
                yield from texts(value)


def owners_of(found: Iterable[str]) -> Owners:
    """The users among some texts."""
    user_ids: dict[str, None] = {}
    for read_so_far, text in enumerate(found):
        if read_so_far >= MAX_VALUES_READ or len(user_ids) > MAX_USERS:
            return Owners(tuple(user_ids), uncounted=True)
        if is_user_id(text):
            user_ids[text] = None
    return Owners(tuple(user_ids)) if user_ids else NOBODY


def users_named(body: bytes, wanted: str) -> Owners:
    """The users in a member of this name of a body, or of each of a list of bodies."""
    try:
        content = read(body)
    except UNREADABLE:
        return owners_of(named_texts(body, wanted))
    bodies = [content] if isinstance(content, Members) else content
    listed = bodies if isinstance(bodies, list) else []
    return owners_of(text for one in listed for text in texts_of(one, wanted))


def about(user_id: str) -> Owners:
    """The one user that a request is about whatever its body says."""
    return owners_of([user_id])


def is_user_id(text: str) -> bool:
    """Whether a text can be a user's id, and can be stored."""
    if user_id_fault(text) is not None:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def named_texts(body: bytes, wanted: str) -> Iterator[str]:
    """The values of this name in bytes that cannot be read as JSON.

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
    """The text of a string or of a word; None for null and for what cannot be read."""
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

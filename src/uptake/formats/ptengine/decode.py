"""Decodes Ptengine's table into attributes, row by row."""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from uptake.formats.base import MALFORMED, WireRequest, parse
from uptake.formats.ptengine.users import find, find_in
from uptake.formats.ptengine.wire import MAX_FIELDS, MAX_NAME, MAX_ROWS, MAX_VALUE, USER_ID
from uptake.model.items import Attributes
from uptake.model.problems import json_reason
from uptake.model.submission import Fault, Submission, rejected

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_VALUE)]


Names = Annotated[list[Name], msgspec.Meta(max_length=MAX_FIELDS)]
SOME_ROWS = msgspec.Meta(min_length=1, max_length=MAX_ROWS)


class _Strings(msgspec.Struct):
    field_name: Names
    values: Annotated[list[list[Text]], SOME_ROWS]


class _Whole(msgspec.Struct):
    field_name: Names
    values: Annotated[list[list[Text | int | bool]], SOME_ROWS]


class _Scalars(msgspec.Struct):
    field_name: list[str]
    values: list[list[msgspec.Raw]]


_NUL = rb"\u0000"
_MINUS_ZERO = re.compile(rb"[\[,\s]-0[\],\s]")
_strings = msgspec.json.Decoder(_Strings)
_whole = msgspec.json.Decoder(_Whole)
_scalars = msgspec.json.Decoder(_Scalars)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_string = msgspec.json.Decoder(str)


Place = tuple[str | int, ...]


class Faults:
    """The faults of a request, in the order in which they are found."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, place: Place, reason: str) -> None:
        """Add a fault; its message begins with the place, as `values[3][1]`."""
        prefix = f"{place_text(place)}: " if place else ""
        self.found.append(Fault("unacceptable", prefix + reason, place))


def place_text(place: Place) -> str:
    """A place in the form `values[3][1]`."""
    first, *rest = place
    return f"{first}" + "".join(f"[{part}]" for part in rest)


def decode(request: WireRequest) -> Submission:
    """Returns the attributes of every row, or a rejection with every fault."""
    submission = _decode_valid(request.body)
    if submission is not None:
        return submission
    faults = Faults()
    names, rows = _read(request.body, faults)
    if faults.found:
        return rejected(faults.found, request.body, find(request))
    return _submission(names, rows, request.body)


def _decode_valid(body: bytes) -> Submission | None:
    """The attributes of a request without faults and with integers alone, else None."""
    if _NUL in body:
        return None
    try:
        names, rows = _read_valid(body)
    except (*MALFORMED, ValueError):
        return None
    if USER_ID not in names or len(set(names)) < len(names):
        return None
    if not all(map(len(names).__eq__, map(len, rows))):
        return None
    user_at = names.index(USER_ID)
    return _submission(names, rows, body) if all(row[user_at] for row in rows) else None


def _read_valid(body: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        strings = _strings.decode(body)
    except msgspec.ValidationError:
        pass
    else:
        return strings.field_name, strings.values
    whole = _whole.decode(body)
    if any(0 in row for row in whole.values) and _MINUS_ZERO.search(body):
        raise ValueError("decoded as 0, but the text must be stored")
    rows = [
        [value if isinstance(value, str) else _text_of(value) for value in row]
        for row in whole.values
    ]
    return whole.field_name, rows


def _text_of(value: int | bool) -> str:  # noqa: FBT001
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if len(text) > MAX_VALUE:
        raise ValueError("over the limit of a value")
    return text


def _submission(names: list[str], rows: list[list[str]], body: bytes) -> Submission:
    user_at = names.index(USER_ID)
    others = (*names[:user_at], *names[user_at + 1 :])
    items = tuple([Attributes(row.pop(user_at), others, row) for row in rows])
    return Submission(items, raw=body, find_users=find_in)


def _read(body: bytes, faults: Faults) -> tuple[list[str], list[list[str]]]:
    """The names and values of a request, as far as they can be decoded."""
    try:
        members = _members.decode(body)
    except MALFORMED:
        faults.add((), _not_an_object(body))
        return [], []
    names = _names(members, faults)
    rows = _rows(members, names, faults)
    if not faults.found:
        _check_readable(body, faults)
    return names or [], rows


def _not_an_object(body: bytes) -> str:
    try:
        parse(body)
    except ValueError as error:
        return f"the body is not JSON: {error}"
    return "the body must be a JSON object"


def _check_readable(body: bytes, faults: Faults) -> None:
    """Of a repeated member the last one counts, but each must be readable."""
    try:
        _scalars.decode(body)
    except MALFORMED:
        faults.add((), "the body cannot be read")


def _elements(raw: msgspec.Raw) -> list[msgspec.Raw] | None:
    """The elements of a list; None for another type."""
    try:
        return _list.decode(raw)
    except MALFORMED:
        return None


def _names(members: Mapping[str, msgspec.Raw], faults: Faults) -> list[str] | None:
    """The names of the columns; None if they cannot be decoded."""
    if "field_name" not in members:
        faults.add((), "field_name is missing")
        return None
    elements = _elements(members["field_name"])
    if elements is None:
        faults.add(("field_name",), "must be a list of strings")
        return None
    names = [_name(element, i, faults) for i, element in enumerate(elements[: MAX_FIELDS + 1])]
    if len(elements) > MAX_FIELDS:
        faults.add(("field_name",), f"{len(elements)} names, at most {MAX_FIELDS} are accepted")
        return None
    if USER_ID not in names:
        faults.add(("field_name",), f"lacks {USER_ID}")
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            faults.add(("field_name", i), "repeats a name")
        seen |= {name} - {""}
    return names


def _name(element: msgspec.Raw, i: int, faults: Faults) -> str:
    """A name; "" for another type."""
    place = ("field_name", i)
    try:
        name = _string.decode(element)
    except msgspec.ValidationError:
        faults.add(place, "must be a string")
        return ""
    except MALFORMED as error:
        faults.add(place, f"malformed string: {json_reason(error)}")
        return ""
    if not name or len(name) > MAX_NAME:
        faults.add(place, f"a name has 1 to {MAX_NAME} characters")
    if "\0" in name:
        faults.add(place, "a name must not contain a NUL character")
    return name


def _rows(
    members: Mapping[str, msgspec.Raw], names: list[str] | None, faults: Faults
) -> list[list[str]]:
    if "values" not in members:
        faults.add((), "values is missing")
        return []
    rows = _elements(members["values"])
    if rows is None:
        faults.add(("values",), "must be a list of lists")
        return []
    if not rows:
        faults.add(("values",), "is empty")
    if len(rows) > MAX_ROWS:
        faults.add(("values",), f"{len(rows)} rows, at most {MAX_ROWS} are accepted")
    # Rows and values beyond the limits are not validated: a body may have a million of them.
    return [_row(row, i, names, faults) for i, row in enumerate(rows[:MAX_ROWS])]


def _row(raw: msgspec.Raw, i: int, names: list[str] | None, faults: Faults) -> list[str]:
    elements = _elements(raw)
    if elements is None:
        faults.add(("values", i), "must be a list")
        return []
    if names is not None and len(elements) != len(names):
        reason = f"has {len(elements)} values, field_name has {len(names)} names"
        faults.add(("values", i), reason)
    user_at = names.index(USER_ID) if names is not None and USER_ID in names else None
    return [
        _value(element, ("values", i, k), faults, is_user_id=k == user_at)
        for k, element in enumerate(elements[:MAX_FIELDS])
    ]


def _value(raw: msgspec.Raw, place: Place, faults: Faults, *, is_user_id: bool) -> str:
    """A value as text: strings unchanged, numbers and booleans as their JSON text."""
    text = bytes(raw)
    if text[:1] == b'"':
        try:
            value = _string.decode(text)
        except MALFORMED as error:
            faults.add(place, f"malformed string: {json_reason(error)}")
            return ""
    elif text[:1] in (b"{", b"["):
        faults.add(place, "must be a string, a number or a boolean")
        return ""
    elif text == b"null":
        faults.add(place, 'must not be null; use "" for an empty value')
        return ""
    else:
        value = text.decode("ascii")
    if is_user_id and not value:
        faults.add(place, "the user_id is empty")
    if len(value) > MAX_VALUE:
        faults.add(place, f"over {MAX_VALUE} characters")
    if "\0" in value:
        faults.add(place, "must not contain a NUL character")
    return value

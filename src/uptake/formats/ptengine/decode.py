"""From Ptengine's matrix to attributes, a row at a time."""

import re
from typing import Annotated, Any

import msgspec

from uptake.formats.base import MALFORMED, WireRequest, json_reason, parse
from uptake.formats.ptengine.wire import MAX_FIELDS, MAX_NAME, MAX_ROWS, MAX_VALUE, USER_ID
from uptake.model.items import Attributes
from uptake.model.submission import Fault, Submission, refused

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


class Unacceptable(ValueError):
    """The first thing that is wrong with a request; the message names the place."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)


def decode(request: WireRequest) -> Submission:
    """The attributes of every row, or the reason why none of them is taken."""
    at_once = _decode_sound(request.body)
    if at_once is not None:
        return at_once
    try:
        names, rows = _read_scalars(request.body)
        _check_names(names)
        _check_rows(names, rows)
    except Unacceptable as reason:
        return refused([Fault("unacceptable", str(reason))], request.body)
    return _submission(names, rows)


def _decode_sound(body: bytes) -> Submission | None:
    """The attributes of a request in which all is right and all numbers are whole, else None."""
    if _NUL in body:
        return None
    try:
        names, rows = _read_sound(body)
    except (*MALFORMED, ValueError):
        return None
    if USER_ID not in names or len(set(names)) < len(names):
        return None
    if not all(map(len(names).__eq__, map(len, rows))):
        return None
    user_at = names.index(USER_ID)
    return _submission(names, rows) if all(row[user_at] for row in rows) else None


def _read_sound(body: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        strings = _strings.decode(body)
    except msgspec.ValidationError:
        pass
    else:
        return strings.field_name, strings.values
    whole = _whole.decode(body)
    if any(0 in row for row in whole.values) and _MINUS_ZERO.search(body):
        raise ValueError("read as 0, and its text is to be kept")
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


def _submission(names: list[str], rows: list[list[str]]) -> Submission:
    user_at = names.index(USER_ID)
    others = (*names[:user_at], *names[user_at + 1 :])
    return Submission(tuple([Attributes(row.pop(user_at), others, row) for row in rows]))


def _check_names(names: list[str]) -> None:
    for i, name in enumerate(names):
        if not name or len(name) > MAX_NAME:
            raise Unacceptable(f"field_name[{i}]", f"a name has 1 to {MAX_NAME} characters")
        if "\0" in name:
            raise Unacceptable(f"field_name[{i}]", "a name must not contain a NUL character")
    if USER_ID not in names:
        raise Unacceptable("field_name", "lacks user_id")
    if len(names) > MAX_FIELDS:
        raise Unacceptable("field_name", f"{len(names)} names, at most {MAX_FIELDS} are taken")
    if len(set(names)) < len(names):
        twice = next(i for i, name in enumerate(names) if name in names[:i])
        raise Unacceptable(f"field_name[{twice}]", "repeats a name")


def _check_rows(names: list[str], rows: list[list[str]]) -> None:
    if not rows:
        raise Unacceptable("values", "is empty")
    if len(rows) > MAX_ROWS:
        raise Unacceptable("values", f"{len(rows)} rows, at most {MAX_ROWS} are taken")
    user_at = names.index(USER_ID)
    for i, row in enumerate(rows):
        if len(row) != len(names):
            reason = f"has {len(row)} values, field_name has {len(names)} names"
            raise Unacceptable(f"values[{i}]", reason)
        if not row[user_at]:
            raise Unacceptable(f"values[{i}][{user_at}]", "the user_id is empty")
        if max(map(len, row)) > MAX_VALUE:
            long = next(k for k, value in enumerate(row) if len(value) > MAX_VALUE)
            raise Unacceptable(f"values[{i}][{long}]", f"over {MAX_VALUE} characters")
        held = next((k for k, value in enumerate(row) if "\0" in value), None)
        if held is not None:
            raise Unacceptable(f"values[{i}][{held}]", "must not contain a NUL character")


def _read_scalars(body: bytes) -> tuple[list[str], list[list[str]]]:
    """Names and values of a request, as far as they can be read."""
    try:
        upload = _scalars.decode(body)
    except MALFORMED:
        _explain(body)
        raise Unacceptable("", "the body cannot be read") from None
    rows = [
        [_text(value, f"values[{i}][{k}]") for k, value in enumerate(row)]
        for i, row in enumerate(upload.values)
    ]
    return upload.field_name, rows


def _text(raw: msgspec.Raw, place: str) -> str:
    """A value as text: strings as they are, numbers and booleans as their JSON text."""
    text = bytes(raw)
    if text[:1] == b'"':
        try:
            return str(msgspec.json.decode(text, type=str))
        except MALFORMED as error:
            raise Unacceptable(place, f"malformed string: {json_reason(error)}") from None
    if text[:1] in (b"{", b"["):
        raise Unacceptable(place, "must be a string, a number or a boolean")
    if text == b"null":
        raise Unacceptable(place, 'must not be null; use "" for an empty value')
    return text.decode("ascii")


def _explain(body: bytes) -> None:
    """Say what keeps a body from being names and rows of scalars.

    Raises:
        Unacceptable: for everything that it finds.
    """
    try:
        content = parse(body)
    except ValueError as error:
        raise Unacceptable("", f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Unacceptable("", "the body must be a JSON object")
    _explain_list(content, "field_name", "a list of strings")
    for i, name in enumerate(content["field_name"]):
        if not isinstance(name, str):
            raise Unacceptable(f"field_name[{i}]", "must be a string")
    _explain_list(content, "values", "a list of lists")
    for i, row in enumerate(content["values"]):
        if not isinstance(row, list):
            raise Unacceptable(f"values[{i}]", "must be a list")


def _explain_list(content: dict[str, Any], name: str, what: str) -> None:
    if name not in content:
        raise Unacceptable("", f"{name} is missing")
    if not isinstance(content[name], list):
        raise Unacceptable(name, f"must be {what}")

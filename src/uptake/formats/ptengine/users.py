"""Finds the users of Ptengine's table, row by row, whatever faults the table has.

The column `user_id` may be any one, `field_name` may have faults or come last, rows may be too
short or too long, and the JSON may be truncated or malformed. Each row is a piece of the body.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from uptake.formats.base import WireRequest
from uptake.formats.ptengine.wire import USER_ID
from uptake.formats.user_search import (
    BYTE_ORDER_MARK,
    MAX_VALUES_READ,
    UNREADABLE,
    Members,
    decoder,
    is_named,
    is_user_id,
    named_texts,
    owners_of,
    text_of,
    texts,
    texts_of,
)
from uptake.model.submission import NO_OWNERS, Owners, Piece

NAMES, ROWS = "field_name", "values"
MAX_ROWS_READ = 20_000
"""Rows read: 200 times the limit of a request."""

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]]|[^\s",\[\]]+', re.DOTALL)
_LAST_NAMES = re.compile(rf'"{NAMES}"\s*:\s*\[([^\]]*)')


class _Uncounted(Exception):
    """The body has more values than are read."""


class _Row:
    """A row: its position in the text, and its cells, or its members if it is an object."""

    def __init__(self, start: int, end: int, value: Any) -> None:
        self.start = start
        self.end = end
        self.value = value


class _Reader:
    """Reads a text as far as possible.

    Attributes:
        names: the values of all members `field_name`.
        rows: the rows of all members `values`.
        others: the texts in members named `user_id`.
        arrays: the number of members `values`.
        broken: whether the text is not JSON; `rows` then reach to its end.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
        self.names: list[Any] = []
        self.rows: list[_Row] = []
        self.others: list[str] = []
        self.arrays = 0
        self.broken = False
        try:
            while self._skip("[],"):
                self._read_members()
        except UNREADABLE:
            self.broken = True

    def _skip(self, more: str = "") -> str:
        """Skip white space and these characters; returns the next character, "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            here = self._text[self._at : self._at + 1]
            if not here or here not in more:
                return here
            self._at += 1

    def _value(self) -> Any:
        value, self._at = decoder.raw_decode(self._text, self._at)
        return value

    def _expect(self, character: str) -> None:
        if self._skip() != character:
            raise ValueError(character)
        self._at += 1

    def _read_members(self) -> None:
        self._expect("{")
        while self._skip(",") != "}":
            name = self._value()
            self._expect(":")
            if name == ROWS and self._skip() == "[":
                self._read_rows()
                continue
            self._skip()
            value = self._value()
            if name == NAMES:
                self.names.append(value)
            elif name == ROWS:
                self.others += texts_of(value, USER_ID)
            elif is_named(name, USER_ID):
                self.others += texts(value)
        self._at += 1

    def _read_rows(self) -> None:
        self.arrays += 1
        self._expect("[")
        while self._skip(",") != "]":
            start = self._at
            try:
                value = self._value()
            except UNREADABLE:
                self._at = start
                self.rows += _broken_rows(self._text, start)
                raise
            self.rows.append(_Row(start, self._at, value))
            if len(self.rows) > MAX_ROWS_READ:
                raise _Uncounted
        self._at += 1


def _broken_rows(text: str, start: int) -> Iterator[_Row]:
    """The rows of a text that is malformed from here on: each begins with a bracket."""
    row = _Row(start, len(text), [])
    for count, match in enumerate(_TOKEN.finditer(text, start)):
        word = match[0]
        if count > MAX_VALUES_READ:
            raise _Uncounted
        if word == "[":
            if match.start() > row.start:
                row.end = match.start()
                yield row
            row = _Row(match.start(), len(text), [])
        elif word != "]":
            whole = word[:1] != '"' or (len(word) > 1 and word.endswith('"'))
            text_in_cell = text_of(word) if whole else None
            # The header is read as a row, too; it names no user.
            row.value.append(None if is_named(text_in_cell, USER_ID) else text_in_cell)
    yield row


def find(request: WireRequest) -> Owners:
    """The users of a rejected request."""
    return find_in(request.body)


def find_in(body: bytes) -> Owners:
    """The users of a body."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        reader = _Reader(text)
    except _Uncounted:
        return Owners(uncounted=True)
    columns = list(_columns(reader.names or _names_in(text)))
    rows = _as_one(reader.rows) if reader.rows else []
    found = [list(dict.fromkeys(_users(row.value, columns))) for row in rows]
    others = named_texts(body, USER_ID) if reader.broken else ()
    owners = owners_of(chain(chain.from_iterable(found), reader.others, others))
    inside = {user_id for users in found for user_id in users}
    divisible = (
        reader.arrays == 1
        and not owners.uncounted
        and all(len(users) <= 1 for users in found)
        and inside.issuperset(owners.user_ids)
    )
    if not divisible or owners is NO_OWNERS:
        return owners
    return Owners(owners.user_ids, tuple(_pieces(text, rows, found, broken=reader.broken)))


def _names_in(text: str) -> list[Any]:
    """The names of a text that is malformed before them."""
    match = _LAST_NAMES.search(text)
    return [] if match is None else [[text_of(one) for one in _TOKEN.findall(match[1])]]


def _columns(names: Sequence[Any]) -> Iterator[int]:
    """The columns named `user_id`, of every `field_name`."""
    for value in names:
        listed = value.split(",") if isinstance(value, str) else value
        if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], list):
            listed = listed[0]
        if isinstance(listed, list) and not isinstance(listed, Members):
            yield from (at for at, name in enumerate(listed) if is_named(name, USER_ID))


def _as_one(rows: list[_Row]) -> list[_Row]:
    """Rows; cells outside of rows are one row."""
    if any(isinstance(row.value, list) for row in rows):
        return rows
    return [_Row(rows[0].start, rows[-1].end, [row.value for row in rows])]


def _users(value: Any, columns: Sequence[int]) -> Iterator[str]:
    """The users of a row."""
    if isinstance(value, Members):
        found = texts_of(value, USER_ID)
    elif isinstance(value, list):
        found = texts([value[at] for at in columns if at < len(value)])
    else:
        found = iter(())
    return filter(is_user_id, found)


def _pieces(
    text: str, rows: Sequence[_Row], found: Sequence[list[str]], *, broken: bool
) -> Iterator[Piece]:
    """The rows as pieces of the body; in a malformed text each extends to the next."""
    end_of_text = rows[-1].end == len(text)
    merged: list[tuple[int, int, int, str]] = []
    for number, (row, users) in enumerate(zip(rows, found, strict=True)):
        user_id = users[0] if users else ""
        if broken and end_of_text and not user_id and merged and merged[-1][2] == row.start:
            # The unreadable part of a row belongs to the row before it.
            first, start, _, owner = merged[-1]
            merged[-1] = (first, start, row.end, owner)
        else:
            merged.append((number, row.start, row.end, user_id))
    at = size = 0
    for number, start, end, user_id in merged:
        size += len(text[at:start].encode("utf-8", "surrogateescape"))
        begin = size
        size += len(text[start:end].encode("utf-8", "surrogateescape"))
        at = end
        yield Piece(user_id, (ROWS, number), begin, size)

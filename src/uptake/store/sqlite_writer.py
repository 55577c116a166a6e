"""Runs the named statements of an upload on SQLite."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from uptake.store.base import IncompleteWrite
from uptake.store.database import Row, check_count
from uptake.store.named_sql import PARAMETER, load, picker

BLOCKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement, largest first. The driver releases the interpreter lock for each statement
and may wait for it afterwards, so few statements are faster; few sizes stay prepared."""

_ROW = re.compile(r"(?<=VALUES )\(.*?\)(?=\s*(?:ON CONFLICT|RETURNING|$))", re.DOTALL)
_PARAMETER = re.compile(PARAMETER)


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement did: rows inserted or changed, and what it returned of them."""

    count: int = 0
    rows: list[tuple[Any, ...]] = field(default_factory=list)


_NOTHING = Result()


class SqliteWriter:
    """See `database.Writer`. Every statement runs at once."""

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection
        self.commit_number = 0

    def take_commit_number(self) -> None:
        """See `Writer.take_commit_number`."""
        row = self._driver.execute(load("sqlite")["take_commit_number"]).fetchall()
        if not row:
            raise IncompleteWrite("marks: the commit number was not written")
        self.commit_number = row[0][0]

    def run(self, name: str, rows: Sequence[Row], *, every: bool = True) -> Result:
        """See `Writer.run`."""
        if not rows:
            return _NOTHING
        statement = _statements()[name]
        values = list(map(statement.pick, rows))
        count = done = 0
        returned: list[tuple[Any, ...]] = []
        for block in statement.texts:
            while len(values) - done >= block:
                parameters = (self.commit_number, *chain.from_iterable(values[done : done + block]))
                cursor = self._driver.execute(statement.texts[block], parameters)
                if statement.returns:
                    returned += cursor.fetchall()
                else:
                    count += cursor.rowcount
                done += block
        count = len(returned) if statement.returns else count
        if every:
            check_count(statement.texts[1], count, len(rows))
        return Result(count, returned)

    def flush(self) -> None:
        """See `Writer.flush`."""


class _Statement:
    """A statement for each size of block. Parameter 1 is `:mark`; those of the rows follow."""

    def __init__(self, text: str) -> None:
        found = _ROW.search(text)
        row = text if found is None else found[0]
        self.names = [name for name in dict.fromkeys(_PARAMETER.findall(row)) if name != "mark"]
        self.pick = picker(self.names)
        self.returns = text.startswith("SELECT") or "RETURNING" in text
        self.texts = {
            rows: text.replace(row, ", ".join(self._numbered(row, at) for at in range(rows)))
            for rows in (BLOCKS if found else (1,))
        }

    def _numbered(self, template: str, row: int) -> str:
        first = 2 + row * len(self.names)
        numbers = {name: first + at for at, name in enumerate(self.names)} | {"mark": 1}
        return _PARAMETER.sub(lambda found: f"?{numbers[found[1]]}", template)


@cache
def _statements() -> Mapping[str, _Statement]:
    return {name: _Statement(text) for name, text in load("sqlite").items() if ":" in text}

"""Runs the named statements of an upload on PostgreSQL with Citus.

Citus sends a statement to one node only if it has one value of the distribution column. So each row
of a distributed table is written by a statement of its own, all of them in one pipeline. Values
that the statements of PostgreSQL read in subqueries, which Citus rejects, are read before.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from uptake.store.commit_sequence import NUMBER_BITS
from uptake.store.database import PARAMETER, Row, load, picker
from uptake.store.distribution import DISTRIBUTED
from uptake.store.postgres_pipeline import Pipeline
from uptake.store.postgres_writer import ARRAY, INT8, PostgresWriter, Result
from uptake.store.profiles import Owner

_INSERT = re.compile(
    r"(?P<into>INSERT INTO (?P<table>\w+) \(.*?\))"
    r"\nSELECT(?P<values>.*)"
    r"\nFROM unnest\((?P<parameters>.*?)\) AS rows \(.*?\)"
    r"(?P<conflict>.*)",
    re.DOTALL,
)
"""A statement that inserts the rows of arrays."""

_VALUE = re.compile(PARAMETER + r"::(\w+)")


class CitusWriter(PostgresWriter):
    """See `database.Writer`."""

    def __init__(self, pipeline: Pipeline, writer_slot: int) -> None:
        super().__init__(pipeline, writer_slot)
        self._number: Result | None = None
        self._mark = 0
        self._touched: tuple[Sequence[Row], Result] | None = None
        self._revisions: dict[Owner, int] = {}
        self._folded_until: dict[Owner, int | None] = {}

    @property
    def commit_number(self) -> int:
        """See `Writer.commit_number`."""
        if self._number is not None:
            ((number,),) = self._number.rows
            self._mark = (self.writer_slot << NUMBER_BITS) + int(number)
            self._number = None
        return self._mark

    def take_commit_number(self) -> None:
        """See `Writer.take_commit_number`."""
        self._number = super().run("take_commit_number", [{}])

    def run(self, name: str, rows: Sequence[Row], *, every: bool = True) -> Result:
        """See `Writer.run`."""
        statement = statements().get(name)
        if name == "find_folded":
            rows = [row for row in rows if self._may_be_folded(row)]
        if statement is None or not rows:
            return super().run(name, rows, every=every)
        if "mark" in statement.names:
            mark = self.commit_number
            rows = [row | {"mark": mark} for row in rows]
        if "revision" in statement.names:
            rows = [row | {"revision": self._revision_of(row)} for row in rows]
        replies = [
            self.pipeline.send(statement.text, statement.encode(row), rows=int(every))
            for row in rows
        ]
        result = Result(self.pipeline, replies)
        if name == "touch_users":
            self._touched = rows, result
        return result

    def _revision_of(self, row: Row) -> int:
        self._read_touched()
        return self._revisions[_owner(row)]

    def _may_be_folded(self, row: Row) -> bool:
        """Whether a block of the user may have a batch: most batches are later than all blocks."""
        self._read_touched()
        until = self._folded_until[_owner(row)]
        return until is None or until >= row["last"]

    def _read_touched(self) -> None:
        if self._touched is None:
            return
        touched, result = self._touched
        self._touched = None
        for row, (revision, until) in zip(touched, result.rows, strict=True):
            self._revisions[_owner(row)] = int(revision)
            self._folded_until[_owner(row)] = int(until) if until else None


def _owner(row: Row) -> Owner:
    return row["project_id"], row["user_id"]


class RowStatement:
    """A named statement for one row.

    Attributes:
        text: SQL with numbered parameters.
        names: of the parameters.
    """

    def __init__(self, text: str) -> None:
        types = dict(_VALUE.findall(text))
        self.names = list(types)
        self._kinds = list(types.values())
        self._pick = picker(self.names)
        numbers = {name: at for at, name in enumerate(self.names, 1)}
        self.text = _VALUE.sub(lambda found: f"${numbers[found[1]]}::{found[2]}", text).encode()

    def encode(self, row: Row) -> list[bytes | None]:
        """Return the values of the parameters in their binary form."""
        return [
            _binary(kind, value) for kind, value in zip(self._kinds, self._pick(row), strict=True)
        ]


def _binary(kind: str, value: Any) -> bytes | None:
    if value is None:
        return None
    if kind == "text":
        return str(value).encode()
    return INT8.pack(value) if kind == "int8" else bytes(value)


@cache
def statements() -> Mapping[str, RowStatement]:
    """Return the statements about distributed tables."""
    found = {name: RowStatement(text) for name, text in load("citus").items()}
    for name, text in load("postgresql").items():
        insert = _INSERT.fullmatch(text)
        if insert is not None and insert["table"] in DISTRIBUTED:
            found[name] = RowStatement(_of_row(name, insert))
    return found


def _of_row(name: str, insert: re.Match[str]) -> str:
    """Return the statement that inserts the values of one row."""
    types = dict(ARRAY.findall(insert["parameters"]))
    values = insert["values"].replace("{mark}", ":mark::int8")
    values = values.replace("{revision}", ":revision::int8")
    own = re.compile(rf"(?<!:)\b({'|'.join(types)})\b")
    values = own.sub(lambda found: f":{found[1]}::{types[found[1]]}", values)
    returned = "\nRETURNING revision, folded_until" if name == "touch_users" else ""
    return f"{insert['into']}\nVALUES ({values}){insert['conflict']}{returned}"

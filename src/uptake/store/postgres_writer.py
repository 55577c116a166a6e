"""Runs the named statements of an upload on PostgreSQL.

The rows of a statement are one array for each column. Measured against one row at a time in a
pipeline, several rows after VALUES, and COPY into a temporary table:
docs/decisions/0006-postgresql.md.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain, repeat
from typing import Any

from uptake.store.commit_sequence import commit_number
from uptake.store.database import PARAMETER, Row, load, picker
from uptake.store.postgres_pipeline import Pipeline, Reply

STATEMENT_BYTES = 16 * 1024 * 1024
"""Bytes of a statement with several rows: PostgreSQL accepts 1 GiB, and holds several copies."""

TYPES = {"text": 25, "int8": 20, "bytea": 17}
"""Types of array elements by their numbers in PostgreSQL's catalogue (pg_type.dat)."""

MARK = "(SELECT ({writer_slot}::int8 << 48) + number FROM marks WHERE lane = {writer_slot})"
"""The commit number of the transaction, in a statement."""

REVISION = (
    "(SELECT u.revision FROM users AS u"
    " WHERE u.project_id = rows.project_id AND u.user_id = rows.user_id)"
)
"""The revision of the user of a row, in a statement."""

ARRAY = re.compile(PARAMETER + r"::(\w+)\[\]")
_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")
_NULL = _LENGTH.pack(-1)
INT8 = struct.Struct("!q")


class Result:
    """What a statement did. Asking for it waits until all statements sent so far have run."""

    def __init__(self, pipeline: Pipeline, replies: Sequence[Reply]) -> None:
        self._pipeline = pipeline
        self._replies = replies

    @property
    def count(self) -> int:
        """See `database.Result`."""
        self._pipeline.flush()
        return sum(reply.result.command_tuples or 0 for reply in self._replies)

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """See `database.Result`."""
        self._pipeline.flush()
        return [
            tuple(
                (reply.result.get_value(row, at) or b"").decode()
                for at in range(reply.result.nfields)
            )
            for reply in self._replies
            for row in range(reply.result.ntuples)
        ]


class PostgresWriter:
    """See `database.Writer`. Statements are sent together, when a result is needed.

    Args:
        pipeline: of the transaction.
        writer_slot: of the process.
    """

    def __init__(self, pipeline: Pipeline, writer_slot: int) -> None:
        self.pipeline = pipeline
        self._statements = statements(writer_slot)
        self.flush = pipeline.flush
        self.writer_slot = writer_slot

    @property
    def commit_number(self) -> Any:
        """See `Writer.commit_number`."""
        return commit_number(self.writer_slot)

    def take_commit_number(self) -> None:
        """See `Writer.take_commit_number`."""
        self.run("take_commit_number", [{}])

    def run(self, name: str, rows: Sequence[Row], *, every: bool = True) -> Result:
        """See `Writer.run`."""
        if not rows:
            return Result(self.pipeline, ())
        statement = self._statements[name]
        return Result(self.pipeline, self._send(statement, list(map(statement.pick, rows)), every))

    def _send(
        self,
        statement: "Statement",
        values: Sequence[tuple[Any, ...]],
        every: bool,  # noqa: FBT001
    ) -> list[Reply]:
        arrays = list(map(array, statement.types, zip(*values, strict=True)))
        if len(values) > 1 and sum(map(len, arrays)) > STATEMENT_BYTES:
            half = len(values) // 2
            replies = self._send(statement, values[:half], every)
            return replies + self._send(statement, values[half:], every)
        expected = len(values) if every else 0
        return [self.pipeline.send(statement.text, arrays, rows=expected)]


class Statement:
    """A named statement with arrays as parameters, in the form that PostgreSQL prepares.

    Attributes:
        text: SQL with numbered parameters.
        types: of the elements of each parameter.
    """

    def __init__(self, text: str) -> None:
        types = dict(ARRAY.findall(text))
        names = list(types)
        self.pick = picker(names)
        self.types = list(types.values())
        numbers = {name: at for at, name in enumerate(names, 1)}
        self.text = ARRAY.sub(lambda found: f"${numbers[found[1]]}::{found[2]}[]", text).encode()


@cache
def statements(writer_slot: int) -> Mapping[str, Statement]:
    """Return the named statements, for the transactions of a writer slot."""
    return {
        name: Statement(
            text.replace("{mark}", MARK)
            .replace("{revision}", REVISION)
            .replace("{writer_slot}", str(writer_slot))
        )
        for name, text in load("postgresql").items()
    }


def array(kind: str, values: Sequence[Any]) -> bytes:
    """Return an array in PostgreSQL's binary form: `array_recv` in its arrayfuncs.c."""
    has_nulls = None in values
    head = _HEAD.pack(1, has_nulls, TYPES[kind], len(values), 1)
    if kind == "int8" and not has_nulls:
        return head + struct.pack(
            "!" + "iq" * len(values), *chain.from_iterable(zip(repeat(INT8.size), values))
        )
    encoded: Sequence[bytes | None] = values
    if kind == "text":
        encoded = [None if value is None else value.encode() for value in values]
    elif kind == "int8":
        encoded = [None if value is None else INT8.pack(value) for value in values]
    parts = [head]
    for element in encoded:
        if element is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH.pack(len(element)), element)
    return b"".join(parts)

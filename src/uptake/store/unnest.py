"""Inserts of many rows on PostgreSQL: one statement, whose values are an array for each column.

Measured against a row at a time in a pipeline, blocks of VALUES, and COPY by way of a temporary
table: docs/decisions/0006-postgresql.md.
"""

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from psycopg.pq.abc import PGresult
from sqlalchemy import Connection, Dialect, Integer, LargeBinary

from uptake.store.database import Row
from uptake.store.pipeline import Pipeline

PIPELINE = "uptake_pipeline"
"""Where the `info` of a connection has the pipeline of its transaction."""

PORTION_BYTES = 16 * 1024 * 1024
"""Bytes of rows in a statement: PostgreSQL takes up to 1 GiB, and holds several copies of it."""

TEXT, INT8, BYTEA = 25, 20, 17
"""Types of elements by their numbers in PostgreSQL's catalogue (pg_type.dat)."""

_TYPES = {TEXT: "text", INT8: "int8", BYTEA: "bytea"}
_PARAMETER = re.compile(r"%\((\w+)\)s")
_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")
_NULL = _LENGTH.pack(-1)
_LONG = 8


class UnnestedRows:
    """An insert of many rows, as `Bulk` is one.

    Args:
        statement: what is done with each row.
        names: the names of a row's values; the statement's own constants are not among them.
        dialect: whose SQL it becomes.
        key: names by which rows are the same; of those, one statement can write only one.
        every: whether each row must be inserted or changed.
    """

    def __init__(
        self,
        statement: Any,
        names: Sequence[str],
        dialect: Dialect,
        key: Sequence[str],
        *,
        every: bool,
    ) -> None:
        self._every = every
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        self._kinds = [_kind(compiled.binds[name].type) for name in names]
        self._statement = _unnested(compiled, names, self._kinds).encode()
        self._pick = itemgetter(*names)
        self._key = itemgetter(*key) if key else None
        self._large = [at for at, kind in enumerate(self._kinds) if kind == BYTEA]

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """See `Rows.run`."""
        self._send(connection, rows)

    def touched(self, connection: Connection, rows: Sequence[Row]) -> int:
        """See `Rows.touched`."""
        return sum(result.command_tuples or 0 for result in self._results(connection, rows))

    def returned(self, connection: Connection, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """See `Rows.returned`."""
        return [
            tuple((result.get_value(row, at) or b"").decode() for at in range(result.nfields))
            for result in self._results(connection, rows)
            for row in range(result.ntuples)
        ]

    def _results(self, connection: Connection, rows: Sequence[Row]) -> list[PGresult]:
        sent = self._send(connection, rows)
        pipeline: Pipeline = connection.info[PIPELINE]
        return pipeline.finish(commit=False)[-sent:] if sent else []

    def _send(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Have rows inserted; by how many statements."""
        pipeline: Pipeline = connection.info[PIPELINE]
        sent = 0
        for wave in _waves(rows, self._key) if self._key else [rows]:
            for portion in self._portions(list(map(self._pick, wave))):
                values = map(array, self._kinds, zip(*portion, strict=True))
                meant = len(portion) if self._every else 0
                pipeline.send(self._statement, list(values), rows=meant)
                sent += 1
        return sent

    def _portions(self, rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
        begin = size = 0
        for end, row in enumerate(rows):
            size += sum(len(row[at] or b"") for at in self._large)
            if size > PORTION_BYTES and end > begin:
                yield rows[begin:end]
                begin, size = end, 0
        if rows:
            yield rows[begin:]


def _waves(rows: Sequence[Row], key: Callable[[Row], Any]) -> Iterator[list[Row]]:
    """Rows in groups in which none has the key of another; those of one key in their order."""
    while rows:
        first: dict[Any, Row] = {}
        again = [row for row in rows if first.setdefault(key(row), row) is not row]
        yield list(first.values())
        rows = again


def _unnested(compiled: Any, names: Sequence[str], kinds: Sequence[int]) -> str:
    """A statement's SQL with its values taken from arrays in place of parameters."""
    text = str(compiled).replace("%%", "%")
    head, _, rest = text.partition(" VALUES (")
    values, conflict, tail = rest.partition(") ON CONFLICT")
    if not conflict:
        values, tail = values.removesuffix(")"), ""
    arrays = ", ".join(f"${at}::{_TYPES[kind]}[]" for at, kind in enumerate(kinds, 1))
    columns = ", ".join(f'"{name}"' for name in names)

    def value(parameter: re.Match[str]) -> str:
        name = parameter[1]
        return f'v."{name}"' if name in names else _literal(compiled.params[name])

    source = f"SELECT {values} FROM unnest({arrays}) AS v ({columns})"  # noqa: S608 - the names are ours
    conflict = conflict.removeprefix(")")
    return _PARAMETER.sub(value, f"{head} {source}{conflict}{tail}")


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _kind(column: Any) -> int:
    if isinstance(column, Integer):
        return INT8
    return BYTEA if isinstance(column, LargeBinary) else TEXT


def array(kind: int, values: Sequence[Any]) -> bytes:
    """An array in PostgreSQL's binary form: `array_recv` in its arrayfuncs.c."""
    holes = None in values
    head = _HEAD.pack(1, holes, kind, len(values), 1)
    if kind == INT8 and not holes:
        return head + struct.pack(
            "!" + "iq" * len(values), *(part for value in values for part in (_LONG, value))
        )
    parts = [head]
    for value in values:
        if value is None:
            parts.append(_NULL)
            continue
        encoded = _encoded(value)
        parts += (_LENGTH.pack(len(encoded)), encoded)
    return b"".join(parts)


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value.to_bytes(_LONG, "big", signed=True) if isinstance(value, int) else value

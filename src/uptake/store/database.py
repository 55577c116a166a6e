"""One engine, its transactions, and the translation of its errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from operator import itemgetter
from sqlite3 import Cursor
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import Connection, Dialect, Engine, Table, delete, event, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from uptake.model import cancellation
from uptake.store.base import IncompleteWrite, StoreUnavailable

Row = dict[str, Any]
"""Values by their names."""

WRITES = "uptake_writes"
"""Execution option of a connection whose transaction will write."""

COUNTED = "uptake_counted"
"""Execution option of a connection whose inserts and updates are checked to touch their rows."""

MAY_TOUCH_NONE = "uptake_may_touch_none"
"""Execution option of a statement that is right when it touches no row."""

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Rows(Protocol):
    """An insert of many rows.

    It raises `IncompleteWrite` unless it touches each of them, or was made with `every=False`.
    """

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows, in order; what that fails with may be raised by what comes after it."""
        ...

    def touched(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Insert rows, in order, and return how many were inserted or changed."""
        ...

    def returned(self, connection: Connection, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """Insert rows, in order; what the statement returns of those that were written: texts."""
        ...


class Database:
    """An engine whose transactions fail with `StoreUnavailable` where trying again may help.

    Attributes:
        many_writers: whether transactions that write may run at the same time.
        lane: the lane of its transactions that write (`store.marks`); processes whose transactions
            may run at the same time better have different ones, or they wait for each other.
    """

    many_writers = False
    lane = 0

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine
        self._writer = engine.execution_options(**{WRITES: True, COUNTED: True})
        if not event.contains(engine, "after_cursor_execute", _check_rows):
            event.listen(engine, "after_cursor_execute", _check_rows)
        self.insert: Any = _INSERTS[engine.dialect.name]

    def bulk(
        self, statement: Any, names: Sequence[str], key: Sequence[str] = (), *, every: bool = True
    ) -> Rows:
        """An insert of many rows.

        Args:
            statement: what is done with each row.
            names: the names of a row's values.
            key: by these, rows are the same where that may be so.
            every: whether each row must be inserted or changed. False for statements that skip
                rows on purpose, such as `ON CONFLICT DO NOTHING`.
        """
        del key  # one row is written after the other
        return Bulk(statement, names, self.engine.dialect, every=every)

    def settle(self, connection: Connection) -> None:
        """Wait until everything sent so far is known to be written in full.

        Raises:
            IncompleteWrite: it is not.
        """

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the data."""
        with translated(), self._reader.begin() as connection, self._cancellable(connection):
            yield connection

    @contextmanager
    def _cancellable(self, connection: Connection) -> Iterator[None]:
        """Have the statements of a transaction interrupted when its work is cancelled."""
        work = cancellation.current()
        if work is None:
            yield
            return
        driver: Any = connection.connection.driver_connection
        with work.interrupting(partial(self.interrupt, driver)):
            yield

    @staticmethod
    def interrupt(driver: Any) -> None:
        """Have the statement that a connection runs fail; called by another thread."""
        driver.interrupt()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and nothing when it fails."""
        # Rows go past SQLAlchemy.
        past = driver_translated(self.engine.dialect.loaded_dbapi)
        try:
            with translated(), past, self._writer.begin() as connection:
                yield connection
        except sqlalchemy.exc.NoResultFound as error:
            raise IncompleteWrite("a statement returned no row of what it wrote") from error


BLOCKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement, largest first; few sizes, so that the driver keeps them all prepared."""


class Bulk:
    """An insert of many rows, compiled once.

    Its rows go to the driver without the detour through SQLAlchemy, which takes longer for each
    statement than SQLite takes to write its rows; and many at a time, as the driver lets go of the
    interpreter for each statement, and gets it back only after whoever else waits for it.

    Args:
        statement: what is done with each row.
        names: the names of a row's values; the statement's own constants are not among them.
        dialect: whose SQL and whose form of parameters it becomes.
    """

    def __init__(
        self, statement: Any, names: Sequence[str], dialect: Dialect, *, every: bool
    ) -> None:
        self._every = every
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        self._text = str(compiled)
        self._constants = {
            name: value for name, value in compiled.params.items() if name not in names
        }
        head, _, rest = self._text.partition(" VALUES ")
        values, conflict, rest = rest.partition(" ON CONFLICT")
        self._texts = {
            rows: f"{head} VALUES {', '.join([values] * rows)}{conflict}{rest}" for rows in BLOCKS
        }
        order = compiled.positiontup or []
        count = values.count("?")
        self._pick = itemgetter(*order[:count])
        self._last = tuple(self._constants[name] for name in order[count:])

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """See `Rows.run`."""
        self.touched(connection, rows)

    def touched(self, connection: Connection, rows: Sequence[Row]) -> int:
        """See `Rows.touched`."""
        touched = sum(result.rowcount for result in self._results(connection, rows))
        self._check(touched, len(rows))
        return touched

    def returned(self, connection: Connection, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """See `Rows.returned`."""
        found = [row for result in self._results(connection, rows) for row in result.fetchall()]
        self._check(len(found), len(rows))
        return found

    def _check(self, touched: int, rows: int) -> None:
        if self._every:
            check_count(self._text, touched, rows)

    def _results(self, connection: Connection, rows: Sequence[Row]) -> Iterator[Cursor]:
        if self._constants:
            rows = [self._constants | row for row in rows]
        values: Any = [self._pick(row) for row in rows]
        if not values:
            return
        driver: Any = connection.connection.driver_connection
        done = 0
        for block in BLOCKS:
            while len(values) - done >= block:
                parameters = (*chain.from_iterable(values[done : done + block]), *self._last)
                yield driver.execute(self._texts[block], parameters)
                done += block


def check_count(statement: str, touched: int, rows: int) -> None:
    """Make sure that a statement has touched as many rows as it was given.

    Raises:
        IncompleteWrite: it has not.
    """
    if touched < rows:
        kind = " ".join(statement.split()[:3])
        raise IncompleteWrite(f"{kind}: {touched} of {rows} rows were written")


def _check_rows(
    _connection: Connection,
    cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    executemany: bool,  # noqa: FBT001
) -> None:
    """See SQLAlchemy's event `after_cursor_execute`."""
    if context is None or not (context.isinsert or context.isupdate):
        return
    options = context.execution_options
    if not options.get(COUNTED) or options.get(MAY_TOUCH_NONE):
        return
    # Whoever asks for the rows back takes as many as there must be.
    if not context.compiled.effective_returning:
        check_count(statement, cursor.rowcount, len(parameters) if executemany else 1)


def may_touch_none(statement: Any) -> Any:
    """A statement that is right when it touches no row."""
    return statement.execution_options(**{MAY_TOUCH_NONE: True})


def delete_all(connection: Connection, table: Table, *where: Any) -> int:
    """Delete the rows that fulfil these conditions; how many there were.

    Raises:
        IncompleteWrite: some are still there.
    """
    count = connection.execute(delete(table).where(*where)).rowcount
    _check_none_left(connection, table, where)
    return count


def update_all(connection: Connection, table: Table, where: Sequence[Any], values: Row) -> int:
    """Update the rows that fulfil these conditions, if there are any; how many there were.

    Raises:
        IncompleteWrite: there are some, and none was updated.
    """
    statement = may_touch_none(update(table).where(*where).values(values))
    count = connection.execute(statement).rowcount
    if not count:
        _check_none_left(connection, table, where)
    return count


def _check_none_left(connection: Connection, table: Table, where: Sequence[Any]) -> None:
    if connection.scalar(select(exists().select_from(table).where(*where))):
        raise IncompleteWrite(f"{table.name}: rows were left as they were")


@contextmanager
def driver_translated(driver: Any) -> Iterator[None]:
    """What `translated` does, for errors that do not come by way of SQLAlchemy.

    Args:
        driver: a module with the errors of PEP 249.
    """
    try:
        yield
    except (driver.IntegrityError, driver.DataError):
        raise
    except driver.Error as error:
        raise StoreUnavailable(" ".join(str(error).split())) from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver says about a store out of reach into `StoreUnavailable`.

    Errors about the data itself stay as they are: another try would meet them again.
    """
    try:
        yield
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.DataError):
        raise
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as error:
        raise StoreUnavailable(str(getattr(error, "orig", error))) from error

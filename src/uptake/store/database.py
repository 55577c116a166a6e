"""One engine, its transactions, its named statements, and the translation of its errors."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib import resources
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, delete, event, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from uptake.model import cancellation
from uptake.store.base import IncompleteWrite, StoreUnavailable

Row = dict[str, Any]
"""Values by their names."""

MAX_VALUES = 500
"""Values in a query; well below the limit of parameters of a database."""

Value = TypeVar("Value")

WRITES = "uptake_writes"
"""Execution option of a connection that will write."""

COUNTED = "uptake_counted"
"""Execution option of a connection that counts the rows of its inserts and updates."""

BINARY = "uptake_binary"
"""Execution option of a statement with a large result: PostgreSQL sends it in its binary format."""

MAY_TOUCH_NONE = "uptake_may_touch_none"
"""Execution option of a statement that may write no row."""

PARAMETER = r"(?<!:):([a-z_0-9]+)"
"""A parameter of a named statement."""

_HEADER = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@cache
def load(engine: str) -> dict[str, str]:
    """Return the statements of `sql/` for an engine, without comments, by name: `-- name --`."""
    text = resources.files(__package__).joinpath("sql", f"{engine}.sql").read_text("utf-8")
    _, *parts = _HEADER.split(text)
    return {
        name: _COMMENT.sub("", body).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def picker(names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Return a function that returns the values of a row with these names."""
    # `itemgetter` is faster, but returns a tuple only for several names.
    return itemgetter(*names) if len(names) > 1 else lambda row: tuple(row[name] for name in names)


class Result(Protocol):
    """What a statement did."""

    @property
    def count(self) -> int:
        """Rows inserted or changed."""
        ...

    @property
    def rows(self) -> Sequence[tuple[Any, ...]]:
        """The rows that the statement returned; on some engines their values are text."""
        ...


class Writer(Protocol):
    """Runs the named statements of a transaction."""

    @property
    def commit_number(self) -> Any:
        """The number taken, as a value or an expression of SQLAlchemy."""
        ...

    def take_commit_number(self) -> None:
        """Take the next number of the commit sequence, which the rows of the transaction bear."""
        ...

    def run(self, name: str, rows: Sequence[Row], *, every: bool = True) -> Result:
        """Run a statement for rows, in order. It may fail later, when a result is needed.

        Args:
            name: of the statement.
            rows: the values of its parameters.
            every: whether each row must be inserted or changed. False for statements that skip
                rows on purpose, such as `ON CONFLICT DO NOTHING`.

        Raises:
            IncompleteWrite: a row was not written.
        """
        ...

    def flush(self) -> None:
        """Wait until every statement has run and is checked.

        Raises:
            IncompleteWrite: a row was not written.
        """
        ...


class Database:
    """An engine. Its transactions fail with `StoreUnavailable` if another attempt may succeed.

    Attributes:
        many_writers: whether transactions that write may run at the same time.
        spare_writers: connections for writing that stay open when no transaction uses them.
    """

    many_writers = False
    spare_writers = 1

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine
        self._writer = engine.execution_options(**{WRITES: True, COUNTED: True})
        if not event.contains(engine, "after_cursor_execute", _check_rows):
            event.listen(engine, "after_cursor_execute", _check_rows)
        # They stay open: to check one out and in again takes as long as to write a few rows.
        self._spare: list[Connection] = []
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self.insert: Any = INSERTS[engine.dialect.name]

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
        """A transaction that is durable when the block ends, or rolled back if it fails."""
        try:
            with self._transaction() as connection:
                yield connection
        except sqlalchemy.exc.NoResultFound as error:
            raise IncompleteWrite("a statement returned no row of what it wrote") from error
        except (sqlalchemy.exc.SQLAlchemyError, self._driver_error):
            # Named statements bypass SQLAlchemy.
            with translated(), driver_translated(self.engine.dialect.loaded_dbapi):
                raise

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that writes, on a spare connection if there is one."""
        try:
            connection = self._spare.pop()
        except IndexError:
            connection = self.open_writer()
        else:
            if not self.is_usable(connection):
                connection.invalidate()
                connection.close()
                connection = self.open_writer()
        try:
            with connection.begin():
                yield connection
        except BaseException:
            self.close_writer(connection)
            raise
        if len(self._spare) < self.spare_writers:
            self._spare.append(connection)
        else:
            self.close_writer(connection)

    def settle(self) -> None:
        """Wait until everything that the log of changes and the commit sequence have is visible.

        Raises:
            StoreUnavailable: it takes too long.
        """

    def begin_snapshot(self, connection: Connection) -> None:
        """Have the queries of a transaction see what the commit sequence has, and nothing later.

        Args:
            connection: in a transaction that has read the commit sequence.
        """

    def open_writer(self) -> Connection:
        """Open a connection for transactions that write."""
        return self._writer.connect()

    def close_writer(self, connection: Connection) -> None:
        """Close a connection of `open_writer`."""
        connection.close()

    def is_usable(self, connection: Connection) -> bool:  # noqa: ARG002
        """Whether a connection that was open for a while can still be used."""
        return True

    def dispose(self) -> None:
        """Close all connections."""
        while self._spare:
            self.close_writer(self._spare.pop())
        self.engine.dispose()


class WritingDatabase(Database, ABC):
    """A database with named statements, which the back end's class runs."""

    @abstractmethod
    def writer(self, connection: Connection) -> Writer:
        """Return what runs the named statements of a transaction that writes."""

    def note_deletion(self) -> None:
        """Note that rows are deleted, so `Erasures.scrub` has something to remove."""


def check_count(statement: str, touched: int, rows: int) -> None:
    """Raise `IncompleteWrite` if a statement has written fewer rows than it was given."""
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
    # Callers of a statement with RETURNING check the returned rows.
    if not context.compiled.effective_returning:
        check_count(statement, cursor.rowcount, len(parameters) if executemany else 1)


def batches_of(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Split values into batches, each for one query."""
    for start in range(0, len(values), MAX_VALUES):
        yield values[start : start + MAX_VALUES]


def streamed(connection: Connection, query: Any, at_once: int) -> Iterator[Any]:
    """Yield the rows of a query, of which so many are in memory; ends the query when closed."""
    with connection.execute(query, execution_options={"yield_per": at_once}) as result:
        yield from result


def may_touch_none(statement: Any) -> Any:
    """Return the statement; it may write no row."""
    return statement.execution_options(**{MAY_TOUCH_NONE: True})


def delete_all(connection: Connection, table: Table, *where: Any) -> int:
    """Delete the rows that match. Returns their number.

    Raises:
        IncompleteWrite: some are still stored.
    """
    count = connection.execute(delete(table).where(*where)).rowcount
    _check_none_left(connection, table, where)
    return count


def update_all(connection: Connection, table: Table, where: Sequence[Any], values: Row) -> int:
    """Update the rows that match, if any. Returns their number.

    Raises:
        IncompleteWrite: rows match, but none was updated.
    """
    statement = may_touch_none(update(table).where(*where).values(values))
    count = connection.execute(statement).rowcount
    if not count:
        _check_none_left(connection, table, where)
    return count


def _check_none_left(connection: Connection, table: Table, where: Sequence[Any]) -> None:
    if connection.scalar(select(exists().select_from(table).where(*where))):
        raise IncompleteWrite(f"{table.name}: rows that match were not changed")


@contextmanager
def driver_translated(driver: Any) -> Iterator[None]:
    """Like `translated`, for errors that do not pass through SQLAlchemy.

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
    """Turn errors of the driver about an unreachable database into `StoreUnavailable`.

    Errors about the data itself stay as they are: another attempt would fail too.
    """
    try:
        yield
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.DataError):
        raise
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as error:
        raise StoreUnavailable(str(getattr(error, "orig", error))) from error

"""All rows of a store: out of it, in one state, and into an empty one, whatever its engine."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, MetaData, Table, delete, select

from uptake.store.base import StoreUnusable
from uptake.store.database import Database
from uptake.store.marks import skip_ahead
from uptake.store.migrations import HEAD, revision_of
from uptake.store.migrations.running import check_known, tables_at, upgrade_to
from uptake.store.tables import changes

AT_ONCE = 32
"""Rows in memory at a time. The largest, a document, has 4 MiB."""

NAMES_AT_ONCE = 1000

BLOB_COLUMNS = {"images": "blob", "rejections": "raw_blob"}
"""The columns that name blobs, by their tables."""

Row = Sequence[Any]
"""The values of a row: text, numbers, bytes and None."""

_ONE_STATE = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""On SQLite any transaction sees one state from its first read to its end."""


class Contents(Database):
    """A database as tables of rows, whatever they are for."""

    @contextmanager
    def snapshot(self) -> Iterator["Snapshot"]:
        """The rows as they are now, while others go on writing.

        Raises:
            StoreUnusable: the database holds no data of this program, or of a newer version.
            StoreUnavailable: it cannot be reached.
        """
        options = _ONE_STATE if self.engine.dialect.name == "postgresql" else {}
        one_state = Database(self.engine.execution_options(**options))
        with one_state.reading() as connection:
            revision = revision_of(connection)
            if revision is None:
                raise StoreUnusable("the database holds no data of Uptake")
            check_known(revision)
            yield Snapshot(connection, revision)

    def require_empty(self) -> None:
        """Make sure that the database has no tables.

        Raises:
            StoreUnusable: it has.
            StoreUnavailable: it cannot be reached.
        """
        with self.reading() as connection:
            _check_empty(connection)

    @contextmanager
    def filling(self, revision: str) -> Iterator["Filling"]:
        """Fill an empty database with rows of a revision; when the block ends it is up to date.

        All of it is one transaction: a failure leaves the database as empty as it was.

        Raises:
            StoreUnusable: it is not empty, or the revision or a row does not fit.
            StoreUnavailable: it cannot be reached or written.
        """
        check_known(revision)
        try:
            with self.writing() as connection:
                _check_empty(connection)
                upgrade_to(connection, revision)
                yield Filling(connection, revision)
                upgrade_to(connection, HEAD)
                many_writers = self.engine.dialect.name == "postgresql"
                skip_ahead(connection, self.insert, many_writers=many_writers)
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.DataError) as error:
            raise StoreUnusable(f"the database refuses a row: {error.orig}") from error

    def close(self) -> None:
        """Let go of files and connections."""
        self.engine.dispose()


def _check_empty(connection: Connection) -> None:
    if sqlalchemy.inspect(connection).get_table_names():
        raise StoreUnusable("the database is not empty")


def tables_of(revision: str) -> dict[str, dict[str, frozenset[type]]]:
    """The tables of a revision: the types of values that each column takes.

    Raises:
        StoreUnusable: the revision is of a newer version.
    """
    check_known(revision)
    return tables_at(revision)


class _Tables:
    def __init__(self, connection: Connection, revision: str) -> None:
        self._connection = connection
        self.revision = revision
        names = list(tables_at(revision))
        metadata = MetaData()
        metadata.reflect(connection, only=names)
        self._tables: dict[str, Table] = {name: metadata.tables[name] for name in names}


class Snapshot(_Tables):
    """The rows of one moment.

    Attributes:
        revision: of the schema that they have.
    """

    @property
    def tables(self) -> dict[str, list[str]]:
        """The names of the columns of each table."""
        return {name: list(map(str, table.columns.keys())) for name, table in self._tables.items()}

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a table, in no order; few of them are in memory at a time.

        Those of the log of changes stay: it is for whoever follows this one database.
        """
        if name == changes.name:
            return
        streamed = self._connection.execution_options(yield_per=AT_ONCE)
        yield from streamed.execute(select(self._tables[name]))

    def still_named(self, blobs: Collection[str]) -> set[str]:
        """Those of some blobs that a row names."""
        named = set()
        for name, column in BLOB_COLUMNS.items():
            streamed = self._connection.execution_options(yield_per=NAMES_AT_ONCE)
            for blob in streamed.scalars(select(self._tables[name].c[column])):
                if blob in blobs:
                    named.add(blob)
        return named


class Filling(_Tables):
    """Empty tables of a revision."""

    def __init__(self, connection: Connection, revision: str) -> None:
        super().__init__(connection, revision)
        for table in self._tables.values():
            # What migrations put in is among the rows to come.
            connection.execute(delete(table))

    @property
    def names(self) -> set[str]:
        """The names of the tables."""
        return set(self._tables)

    def add(
        self,
        name: str,
        columns: Sequence[str],
        rows: Iterable[Row],
        added: Callable[[int], None],
    ) -> None:
        """Add rows to a table; `added` is told again and again how many more there are.

        Raises:
            StoreUnusable: the table or a column is not of this revision.
        """
        table = self._tables.get(name)
        if table is None or set(columns) != set(table.columns.keys()):
            raise StoreUnusable(f"{name} has other columns in revision {self.revision}")
        statement = table.insert()
        waiting = iter(rows)
        while block := [dict(zip(columns, row, strict=True)) for row in islice(waiting, AT_ONCE)]:
            self._connection.execute(statement, block)
            added(len(block))

"""The port `Contents` of backups, for any engine: all rows of a database, read and inserted."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, MetaData, Table, delete, select, update

from uptake.store.base import StoreUnusable
from uptake.store.commit_sequence import skip_ahead
from uptake.store.database import Database, may_touch_none, streamed
from uptake.store.member_tables import segment_watches
from uptake.store.migrations import HEAD, revision_of
from uptake.store.migrations.running import check_known, tables_at, upgrade_to
from uptake.store.relays import pause_restored
from uptake.store.tables import changes

AT_ONCE = 32
"""Rows in memory at a time. The largest, a document, has 4 MiB."""

NAMES_AT_ONCE = 1000

BLOB_COLUMNS = {"images": "blob", "rejections": "raw_blob"}
"""The columns that refer to blobs, by table."""

_ONE_STATE = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""On SQLite every transaction sees one state from its first read to its end."""


class SqlContents(Database):
    """See `uptake.backup.ports.Contents`."""

    @contextmanager
    def snapshot(self) -> Iterator["TableRows"]:
        """See `Contents.snapshot`."""
        options = _ONE_STATE if self.engine.dialect.name == "postgresql" else {}
        one_state = Database(self.engine.execution_options(**options))
        with one_state.reading() as connection:
            revision = revision_of(connection)
            if revision is None:
                raise StoreUnusable("the database has no data of Uptake")
            check_known(revision)
            yield TableRows(connection, revision)

    def require_empty(self) -> None:
        """See `Contents.require_empty`."""
        with self.reading() as connection:
            _check_empty(connection)

    @contextmanager
    def filling(self, revision: str) -> Iterator["EmptyTables"]:
        """See `Contents.filling`."""
        check_known(revision)
        try:
            with self.writing() as connection:
                _check_empty(connection)
                upgrade_to(connection, revision)
                yield EmptyTables(connection, revision)
                upgrade_to(connection, HEAD)
                # A backup does not have the log of changes.
                connection.execute(may_touch_none(update(segment_watches).values(position=None)))
                many_writers = self.engine.dialect.name == "postgresql"
                skip_ahead(connection, self.insert, many_writers=many_writers)
                pause_restored(connection)
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.DataError) as error:
            raise StoreUnusable(f"the database rejects a row: {error.orig}") from error

    def close(self) -> None:
        """See `Contents.close`."""
        self.dispose()


def _check_empty(connection: Connection) -> None:
    if sqlalchemy.inspect(connection).get_table_names():
        raise StoreUnusable("the database is not empty")


def tables_of(revision: str) -> dict[str, dict[str, frozenset[type]]]:
    """Return the tables of a revision: the types of values of each column.

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


class TableRows(_Tables):
    """See `uptake.backup.ports.Snapshot`."""

    @property
    def tables(self) -> dict[str, list[str]]:
        """See `Snapshot.tables`."""
        return {name: list(map(str, table.columns.keys())) for name, table in self._tables.items()}

    def rows(self, name: str) -> Iterator[Sequence[Any]]:
        """See `Snapshot.rows`."""
        if name == changes.name:
            return
        yield from streamed(self._connection, select(self._tables[name]), AT_ONCE)

    def still_named(self, blobs: Collection[str]) -> set[str]:
        """See `Snapshot.still_named`."""
        named = set()
        for name, column in BLOB_COLUMNS.items():
            query = select(self._tables[name].c[column])
            for (blob,) in streamed(self._connection, query, NAMES_AT_ONCE):
                if blob in blobs:
                    named.add(blob)
        return named


class EmptyTables(_Tables):
    """See `uptake.backup.ports.Filling`."""

    def __init__(self, connection: Connection, revision: str) -> None:
        super().__init__(connection, revision)
        for table in self._tables.values():
            # Rows that migrations insert are among the rows to restore.
            connection.execute(delete(table))

    @property
    def names(self) -> set[str]:
        """See `Filling.names`."""
        return set(self._tables)

    def add(
        self,
        name: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        added: Callable[[int], None],
    ) -> None:
        """See `Filling.add`."""
        table = self._tables.get(name)
        if table is None or set(columns) != set(table.columns.keys()):
            raise StoreUnusable(f"{name} has other columns in revision {self.revision}")
        statement = table.insert()
        waiting = iter(rows)
        while block := [dict(zip(columns, row, strict=True)) for row in islice(waiting, AT_ONCE)]:
            self._connection.execute(statement, block)
            added(len(block))

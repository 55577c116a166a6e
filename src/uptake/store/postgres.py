"""PostgreSQL: many writers on many nodes; every commit is on the server's disk."""

import hashlib
import random
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from select import POLLIN, poll
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import sqlalchemy
from sqlalchemy import Connection, Engine, event, func, select

from uptake.circuit_breaker import CircuitBreaker
from uptake.store import audit, distribution, migrations
from uptake.store.base import NoDatabase, StoreUnavailable, StoreUnusable
from uptake.store.commit_sequence import WRITER_SLOTS
from uptake.store.database import BINARY, Result, Writer, load, translated
from uptake.store.distribution import DistributionFacts, distribution_facts, is_distributed
from uptake.store.facts import DatabaseFacts, postgresql_facts
from uptake.store.postgres_pipeline import Pipeline, Prepared
from uptake.store.postgres_profiles import PostgresUserQueries
from uptake.store.postgres_writer import PostgresWriter
from uptake.store.records import Entry
from uptake.store.sql_store import SqlStore
from uptake.store.stored import Committed
from uptake.store.tables import metadata

if TYPE_CHECKING:
    from uptake.store.contents import SqlContents

DRIVER = "postgresql+psycopg"

CONNECTIONS = 4
MORE_CONNECTIONS = 16
"""Connections that stay open in a process, and how many more it opens when threads need them: no
thread waits for a connection of another."""

CANCEL_SECONDS = 5.0
"""Time limit of a request to the server to cancel a statement."""

CONNECT_SECONDS = 5
"""Time limit of a new connection: requests wait for it."""

LOCK_SECONDS = 30
"""Time limit of waiting for a lock of another transaction, as with SQLite."""

IDLE_SECONDS = 60
"""The server ends a transaction that is idle for so long: a node that froze in the middle of one
must not block the others for ever."""

NETWORK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "uptake",
}
"""A server that disappeared without closing its connections is noticed after half a minute
(postgresql.org/docs/current/libpq-connect.html)."""

ATTEMPTS = 5
"""Attempts to write a group that conflicts with other transactions."""

PAUSE_SECONDS = 0.05
"""Longest pause before the second attempt; later ones are longer."""

PIPELINE = "uptake_pipeline"
"""Key of `Connection.info` for the pipeline of its transaction."""

_SET_UP = f"""
    SELECT set_config('lock_timeout', '{LOCK_SECONDS}s', false),
        -- With 'off' as the server's default, acknowledged data would not be durable yet.
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
        END"""

_IDLE_TIMEOUT = f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"

_PREPARED = "uptake_prepared"
_CONFLICTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


def open_store(url: str, *, make: bool = True) -> SqlStore:
    """Open a database, and migrate its tables.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with libpq's parameters as its query.
        make: whether to create the tables if there are none.

    Raises:
        NoDatabase: there are none, and `make` is false.
        StoreUnusable: it cannot be reached or written, or was written by a newer version.
    """
    engine = _open_engine(url)
    event.listen(engine, "connect", _set_idle_timeout)
    with _named(engine):
        migrations.upgrade(engine, make=make)
        with engine.connect() as connection:
            distributed = is_distributed(connection)
            if distributed:
                distribution.require_placed(connection, metadata.tables)
    if distributed:
        from uptake.store.citus import CitusStore  # noqa: PLC0415 - it imports this module

        return CitusStore(engine)
    event.listen(engine, "connect", _reject_distributed)
    return PostgresStore(engine)


def open_contents(url: str, *, make: bool = False) -> "SqlContents":
    """Open a database as it is, without migrations.

    Args:
        url: as for `open_store`.
        make: ignored. A database that can be connected to exists.

    Raises:
        StoreUnusable: it cannot be reached.
    """
    # Imports Alembic, which takes as long to load as the rest.
    from uptake.store.contents import SqlContents  # noqa: PLC0415

    del make
    engine = _open_engine(url)
    with _named(engine):
        engine.connect().close()
    return SqlContents(engine)


def inspect(url: str) -> DatabaseFacts:
    """Read the facts about a database and its server, without migrations.

    Raises:
        StoreUnusable: it cannot be reached.
    """
    engine = _open_engine(url)
    with _named(engine), engine.connect() as connection:
        facts = postgresql_facts(connection)
        if is_distributed(connection):
            found = distribution_facts(connection, metadata.tables)
            facts = replace(facts, distribution=found)
    engine.dispose()
    return facts


def distribute(url: str, shards: int | None = None) -> Iterator[tuple[str, str]]:
    """Migrate a database, and distribute its tables over its nodes.

    Args:
        url: as for `open_store`.
        shards: as for `distribution.distribute`.

    Raises:
        NoDatabase: it has no tables.
        StoreUnusable: it cannot be reached, or has no Citus.
    """
    engine = _open_engine(url)
    with _named(engine):
        migrations.upgrade(engine, make=False)
    try:
        # Each statement in a transaction of its own: a second run continues where one failed.
        with translated(), engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            for name, statement in distribution.distribute(connection, metadata.tables, shards):
                with engine.begin() as other:
                    audit.record(other, "", "database.distribute", name)
                yield name, statement
    finally:
        engine.dispose()


def check_distribution(url: str) -> DistributionFacts:
    """Read how the tables of a database are distributed, and change nothing.

    Raises:
        StoreUnusable: it cannot be reached, or is not distributed.
    """
    engine = _open_engine(url)
    try:
        with _named(engine), engine.connect() as connection:
            return distribution_facts(connection, metadata.tables)
    finally:
        engine.dispose()


def _open_engine(url: str) -> Engine:
    try:
        address = sqlalchemy.make_url(url).set(drivername=DRIVER)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise StoreUnusable(f"not the address of a database: {error}") from error
    engine = sqlalchemy.create_engine(
        address,
        connect_args={key: value for key, value in NETWORK.items() if key not in address.query},
        isolation_level="READ COMMITTED",
        pool_size=CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        # Else an error would be logged with the values it is about.
        hide_parameters=True,
    )
    circuit = CircuitBreaker(psycopg.OperationalError, ignore_fast=True)

    def connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        with circuit.guard():
            return dialect.connect(*arguments, **options)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "checkout", _on_checkout)
    event.listen(engine, "rollback", _on_rollback)
    event.listen(engine, "before_cursor_execute", _before_execute)
    return engine


@contextmanager
def _named(engine: Engine) -> Iterator[None]:
    """Name the database, without its password, in the error if it cannot be used."""
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, StoreUnusable) as error:
        engine.dispose()
        name = engine.url.set(drivername="postgresql").render_as_string()
        kind = NoDatabase if isinstance(error, NoDatabase) else StoreUnusable
        raise kind(f"{name}: {_one_line(getattr(error, 'orig', error))}") from error


class PostgresStore(PostgresUserQueries, SqlStore):
    """Sends rows in arrays, and writes a group again after a conflict with another transaction."""

    many_writers = True

    def __init__(self, engine: Engine) -> None:
        with translated(), engine.connect() as connection:
            # Consecutive sessions have different numbers.
            session = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            self.writer_slot = session % WRITER_SLOTS
        super().__init__(engine)
        self._reader = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def writer(self, connection: Connection) -> PostgresWriter:
        """See `Database.writer`."""
        return PostgresWriter(connection.info[PIPELINE], self.writer_slot)

    def tombstone_changes(self, writer: Writer, projects: Collection[str]) -> Result:
        """See `SqlErasures.tombstone_changes`."""
        locks = [{"key": _lock_of(project)} for project in sorted(projects)]
        writer.run("share_erasure_locks", locks)
        rows = [{"project_id": project} for project in projects]
        return writer.run("tombstone_changes", rows, every=False)

    def next_change(self, connection: Connection, project: str) -> int:
        """See `SqlChangeFeed.next_change`."""
        del project  # transactions are numbered across projects
        return int(connection.exec_driver_sql(load("postgresql")["next_change"]).scalar_one())

    def block_groups(self, connection: Connection, project: str) -> None:
        """See `SqlErasures.block_groups`."""
        connection.execute(select(func.pg_advisory_xact_lock(_lock_of(project))))

    @staticmethod
    def interrupt(driver: Any) -> None:
        """See `Database.interrupt`."""
        with suppress(psycopg.Error):
            driver.cancel_safe(timeout=CANCEL_SECONDS)

    def is_usable(self, connection: Connection) -> bool:
        """See `Database.is_usable`."""
        return not _has_unread_data(_driver(connection))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`."""
        with super().writing() as connection:
            info = connection.info
            pipeline = info[PIPELINE] = Pipeline(_driver(connection), info[_PREPARED])
            try:
                yield connection
                pipeline.commit()
            except BaseException:
                if not pipeline.abandon():
                    connection.invalidate()
                raise
            finally:
                del info[PIPELINE]

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """See `Commits.commit`."""
        for attempt in range(1, ATTEMPTS):
            try:
                return super().commit(entries)
            except StoreUnavailable as error:
                cause = error.__cause__
                if not isinstance(getattr(cause, "orig", cause), _CONFLICTS):
                    raise
                time.sleep(random.uniform(0, PAUSE_SECONDS * attempt))  # noqa: S311
        return super().commit(entries)


def _driver(connection: Connection) -> "psycopg.Connection[object]":
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"not a connection of psycopg: {driver!r}")
    return driver


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def _lock_of(project: str) -> int:
    """Return the key of the lock that groups share and erasures take exclusively."""
    digest = hashlib.sha256(b"erasures of " + project.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _on_connect(connection: "psycopg.Connection[object]", record: Any) -> None:
    record.info[_PREPARED] = Prepared()
    _execute(connection, _SET_UP)


def _reject_distributed(connection: "psycopg.Connection[object]", _record: Any) -> None:
    """Reject a database that was distributed since it was opened: it needs other statements."""
    autocommit, connection.autocommit = connection.autocommit, True
    queries = (distribution.HAS_CITUS, distribution.IS_DISTRIBUTED)
    if all(connection.execute(query).fetchone() == (True,) for query in queries):
        raise psycopg.OperationalError("the database was distributed: restart the server")
    connection.autocommit = autocommit


def _set_idle_timeout(connection: "psycopg.Connection[object]", _record: Any) -> None:
    _execute(connection, _IDLE_TIMEOUT)


def _execute(connection: "psycopg.Connection[object]", statement: LiteralString) -> None:
    """Execute a statement outside of any transaction."""
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(statement)
    connection.autocommit = autocommit


def _on_checkout(connection: "psycopg.Connection[object]", _record: Any, _proxy: Any) -> None:
    """Replace a connection that the server has closed."""
    if _has_unread_data(connection):
        raise sqlalchemy.exc.DisconnectionError("the server has closed the connection")


def _has_unread_data(connection: "psycopg.Connection[object]") -> bool:
    """Whether the server has sent what no statement asked for: it closes the connection."""
    watch = poll()
    watch.register(connection.pgconn.socket, POLLIN)
    return bool(watch.poll(0))


def _on_rollback(connection: Connection) -> None:
    """Forget prepared statements: psycopg deallocates all of them at a rollback."""
    if not connection.invalidated:
        connection.info[_PREPARED].clear()


def _before_execute(
    connection: Connection, cursor: Any, _statement: str, _parameters: Any, context: Any, *_: object
) -> None:
    """Flush the pipeline before the driver itself sends a statement; choose the result's format."""
    pipeline = connection.info.get(PIPELINE)
    if pipeline is not None:
        pipeline.flush()
    if context is not None and context.execution_options.get(BINARY):
        cursor.format = psycopg.pq.Format.BINARY

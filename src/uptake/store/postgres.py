"""PostgreSQL: many writers on many nodes, every commit on the server's disk."""

import hashlib
import random
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from select import POLLIN, poll
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import sqlalchemy
from sqlalchemy import Connection, Engine, event, func, select

from uptake.circuit_breaker import CircuitBreaker
from uptake.store import distribution, migrations
from uptake.store.base import StoreUnavailable, StoreUnusable
from uptake.store.commit_sequence import WRITER_SLOTS
from uptake.store.database import Result, Writer, translated
from uptake.store.named_sql import load
from uptake.store.postgres_pipeline import Pipeline, Prepared
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
"""Connections that a process keeps, and how many more it opens for a while: one for each thread
that writes or reads, so that none waits for another's."""

CANCEL_SECONDS = 5.0
"""How long it may take to reach the server to interrupt a statement."""

CONNECT_SECONDS = 5
"""How long a new connection may take: requests wait for it."""

LOCK_SECONDS = 30
"""How long a statement waits for a lock that another transaction holds; as with SQLite."""

IDLE_SECONDS = 60
"""How long the server keeps a transaction in which nothing happens: a node that is frozen in the
middle of one must not hold up the others for ever."""

NETWORK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "uptake",
}
"""A server that vanished without a word is missed after half a minute
(postgresql.org/docs/current/libpq-connect.html)."""

ATTEMPTS = 5
"""How often a group is written that others' writes got in the way of."""

PAUSE_SECONDS = 0.05
"""How long to pause before that, at most, the first time."""

PIPELINE = "uptake_pipeline"
"""Key of `Connection.info` for the pipeline of its transaction."""

_SET_UP = f"""
    SELECT set_config('lock_timeout', '{LOCK_SECONDS}s', false),
        -- Where the server's default is less, what is acknowledged would not be durable yet.
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
        END"""

_END_WHAT_RESTS = f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"

_PREPARED = "uptake_prepared"
_IN_THE_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


def open_store(url: str) -> SqlStore:
    """Open a database, its tables made or brought up to date where needed.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with libpq's parameters as its query.

    Raises:
        StoreUnusable: it cannot be reached or written, or was written by a newer version.
    """
    engine = _open_engine(url)
    event.listen(engine, "connect", _end_what_rests)
    with _named(engine):
        migrations.upgrade(engine)
    return _PostgresStore(engine)


def open_contents(url: str, *, make: bool = False) -> "SqlContents":
    """Open a database as it is, without bringing it up to date.

    Args:
        url: as for `open_store`.
        make: of no meaning here, as a database is there when it can be connected to.

    Raises:
        StoreUnusable: it cannot be reached.
    """
    # It needs what runs migrations, which takes as long to load as the rest.
    from uptake.store.contents import SqlContents  # noqa: PLC0415

    del make
    engine = _open_engine(url)
    with _named(engine):
        engine.connect().close()
    return SqlContents(engine)


def distribute(url: str) -> Iterator[tuple[str, str]]:
    """Bring a database up to date, and spread its tables over its nodes (`distribution`).

    Raises:
        StoreUnusable: it cannot be reached, or has no Citus.
    """
    store = open_store(url)
    try:
        # Citus places a table in a transaction of its own: the rest follows when it is asked again.
        with translated(), store.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            yield from distribution.distribute(connection, metadata.tables)
    finally:
        store.close()


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
    """Tell what an engine that cannot be used fails with, and which it is, without its password."""
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, StoreUnusable) as error:
        engine.dispose()
        name = engine.url.set(drivername="postgresql").render_as_string()
        raise StoreUnusable(f"{name}: {_one_line(getattr(error, 'orig', error))}") from error


class _PostgresStore(SqlStore):
    """A store whose rows are sent many at a time, and whose groups are written again if need be."""

    many_writers = True

    def __init__(self, engine: Engine) -> None:
        with translated(), engine.connect() as connection:
            # Sessions that begin one after the other have different ones.
            session = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            self._writer_slot = session % WRITER_SLOTS
        super().__init__(engine)
        self._reader = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def writer(self, connection: Connection) -> PostgresWriter:
        """See `Database.writer`."""
        return PostgresWriter(connection.info[PIPELINE], self._writer_slot)

    def tombstone_changes(self, writer: Writer, projects: Collection[str]) -> Result:
        """See `Erasing.tombstone_changes`."""
        locks = [{"key": _lock_of(project)} for project in sorted(projects)]
        writer.run("share_erasure_locks", locks)
        rows = [{"project_id": project} for project in projects]
        return writer.run("tombstone_changes", rows, every=False)

    def next_change(self, connection: Connection, project: str) -> int:
        """See `SqlChangeFeed.next_change`."""
        del project  # transactions are numbered across projects
        return int(connection.exec_driver_sql(load("postgresql")["next_change"]).scalar_one())

    def block_groups(self, connection: Connection, project: str) -> None:
        """See `Erasing.block_groups`."""
        connection.execute(select(func.pg_advisory_xact_lock(_lock_of(project))))

    @staticmethod
    def interrupt(driver: Any) -> None:
        """See `Database.interrupt`."""
        with suppress(psycopg.Error):
            driver.cancel_safe(timeout=CANCEL_SECONDS)

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
                if not isinstance(getattr(cause, "orig", cause), _IN_THE_WAY):
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
    """The number of the lock that groups share and erasures want for themselves."""
    digest = hashlib.sha256(b"erasures of " + project.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _on_connect(connection: "psycopg.Connection[object]", record: Any) -> None:
    record.info[_PREPARED] = Prepared()
    _carry_out(connection, _SET_UP)


def _end_what_rests(connection: "psycopg.Connection[object]", _record: Any) -> None:
    _carry_out(connection, _END_WHAT_RESTS)


def _carry_out(connection: "psycopg.Connection[object]", statement: LiteralString) -> None:
    """Have something done outside of any transaction."""
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(statement)
    connection.autocommit = autocommit


def _on_checkout(connection: "psycopg.Connection[object]", _record: Any, _proxy: Any) -> None:
    """Have a connection made anew on which the server has spoken unasked: to say goodbye."""
    watch = poll()
    watch.register(connection.pgconn.socket, POLLIN)
    if watch.poll(0):
        raise sqlalchemy.exc.DisconnectionError("the server has closed the connection")


def _on_rollback(connection: Connection) -> None:
    """Take nothing for prepared: psycopg has the server forget all statements at a rollback."""
    if not connection.invalidated:
        connection.info[_PREPARED].clear()


def _before_execute(connection: Connection, *_: object) -> None:
    """Finish what was sent in the pipeline before the driver itself sends something."""
    pipeline = connection.info.get(PIPELINE)
    if pipeline is not None:
        pipeline.flush()

"""Statements sent to PostgreSQL together, and waited for once.

A wait costs as much as writing several rows, and lets go of the interpreter; libpq's pipeline mode
(postgresql.org/docs/current/libpq-pipeline-mode.html) has one for all statements of a transaction.
psycopg's own pipelines handle every value and every result in Python, which takes longer than
PostgreSQL takes for the row; so its connection to libpq is used as it is.
"""

import select
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGresult

from uptake.store.database import check_count

WAIT_SECONDS = 60.0
"""How long an answer may take: a frozen server would never close the connection."""

BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED"
BINARY = pq.Format.BINARY

_BUSY = (select.POLLIN, select.POLLIN | select.POLLOUT)


class Prepared:
    """The statements that a connection has prepared, by names that are never given twice."""

    def __init__(self) -> None:
        self._names: dict[bytes, bytes] = {}
        self._given = 0

    def get(self, statement: bytes) -> bytes | None:
        """The name of a statement that is prepared."""
        return self._names.get(statement)

    def new_name(self) -> bytes:
        """A name for a statement that is to be prepared."""
        self._given += 1
        return b"uptake_%d" % self._given

    def forget(self) -> None:
        """Know no statement any more."""
        self._names.clear()

    def add(self, names: dict[bytes, bytes]) -> None:
        """Know statements as prepared under these names."""
        self._names |= names


class Pipeline:
    """The statements of one transaction, on one connection.

    It opens by itself with the first statement that is sent, and must be finished before psycopg
    uses the connection again.

    Args:
        connection: psycopg's; no transaction need have begun.
        prepared: what this connection has prepared; it is added to.
    """

    def __init__(self, connection: "psycopg.Connection[object]", prepared: Prepared) -> None:
        self._pg = connection.pgconn
        self._prepared = prepared
        self._new: dict[bytes, bytes] = {}
        self._meant: list[tuple[bytes, int]] = []
        self._open = False
        self._lost = False

    def send(self, statement: bytes, values: Sequence[bytes | None], rows: int = 0) -> None:
        """Have a statement carried out with these values, in their binary form.

        Args:
            statement: SQL.
            values: of its parameters.
            rows: how many rows it must touch at least; `finish` checks it.

        Raises:
            psycopg.OperationalError: the connection is gone.
        """
        if not self._open:
            self._enter()
        name = self._prepared.get(statement) or self._new.get(statement)
        if name is None:
            name = self._new[statement] = self._prepared.new_name()
            self._pg.send_prepare(name, statement)
            self._meant.append((statement, 0))
        self._meant.append((statement, rows))
        self._pg.send_query_prepared(name, values, [BINARY] * len(values))

    def finish(self, *, commit: bool) -> list[PGresult]:
        """Wait until all that was sent is done; with `commit`, until it is durable.

        Returns:
            What was said of each statement, the sender's own among them in their order.

        Raises:
            psycopg.Error: what the first statement that failed met; none is in force then.
            IncompleteWrite: a statement has touched fewer rows than it must.
        """
        if not self._open:
            return []
        if commit:
            self._pg.send_query_params(b"COMMIT", None)
        results = self._results()
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
        self._prepared.add(self._new)
        self._new = {}
        meant, self._meant = self._meant, []
        # Before the first of them stands the result of BEGIN, if it was sent, and last COMMIT's.
        last = len(results) - commit
        for result, (statement, rows) in zip(results[last - len(meant) : last], meant, strict=True):
            if rows:
                check_count(statement.decode(), result.command_tuples or 0, rows)
        return results

    def abandon(self) -> bool:
        """Let go of what was sent; whether the connection can still be used, to roll it back."""
        try:
            if self._open and not self._lost:
                self._results()
        except psycopg.OperationalError:
            return False
        return not self._lost

    def _enter(self) -> None:
        self._open = True
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        if self._pg.transaction_status == pq.TransactionStatus.IDLE:
            self._pg.send_query_params(BEGIN, None)

    def _results(self) -> list[PGresult]:
        """Take all results, and leave the connection to psycopg."""
        self._lost = True
        self._pg.pipeline_sync()
        results = list(self._arriving())
        self._pg.exit_pipeline_mode()
        self._pg.nonblocking = 0
        self._open = self._lost = False
        return results

    def _arriving(self) -> Iterator[PGresult]:
        while True:
            self._wait()
            result = self._pg.get_result()
            if result is None:
                # The end of one statement's results; of a lost connection, that of all.
                if self._pg.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError(self._pg.get_error_message())
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                return
            else:
                yield result

    def _wait(self) -> None:
        """Wait until a result can be taken, sending on meanwhile."""
        unsent = self._pg.flush()
        while unsent or self._pg.is_busy():
            poll = select.poll()
            poll.register(self._pg.socket, _BUSY[bool(unsent)])
            if not poll.poll(WAIT_SECONDS * 1000):
                raise psycopg.OperationalError(f"no answer within {WAIT_SECONDS:g} seconds")
            self._pg.consume_input()
            unsent = unsent and self._pg.flush()

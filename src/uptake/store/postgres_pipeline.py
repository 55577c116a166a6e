"""Statements sent to PostgreSQL together, and waited for once.

A round trip costs as much as writing several rows and releases the interpreter lock; with libpq's
pipeline mode (postgresql.org/docs/current/libpq-pipeline-mode.html) many statements share one.
psycopg's own pipelines handle every value and every result in Python, which is slower
than PostgreSQL writing the row, so the pipeline uses psycopg's connection to libpq directly.
"""

import select
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGresult

from uptake.store.database import check_count

WAIT_SECONDS = 60.0
"""Time limit of an answer: a frozen server never closes the connection."""

BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED"
BINARY = pq.Format.BINARY

_BUSY = (select.POLLIN, select.POLLIN | select.POLLOUT)


class Prepared:
    """The statements that a connection has prepared. No name is used twice."""

    def __init__(self) -> None:
        self._names: dict[bytes, bytes] = {}
        self._last = 0

    def get(self, statement: bytes) -> bytes | None:
        """Return the name of a prepared statement."""
        return self._names.get(statement)

    def new_name(self) -> bytes:
        """Return an unused name."""
        self._last += 1
        return b"uptake_%d" % self._last

    def clear(self) -> None:
        """Forget all statements: the server has deallocated them."""
        self._names.clear()

    def add(self, names: dict[bytes, bytes]) -> None:
        """Add statements that the server has prepared."""
        self._names |= names


class Reply:
    """What the server answers to a statement.

    Attributes:
        result: set by `Pipeline.flush` and `Pipeline.commit`.
        rows: how many rows the statement must write.
    """

    __slots__ = ("result", "rows", "statement")
    result: PGresult

    def __init__(self, statement: bytes, rows: int) -> None:
        self.statement = statement
        self.rows = rows


class Pipeline:
    """The statements of one transaction on one connection.

    It opens with the first statement, and must be flushed before psycopg uses the connection.

    Args:
        connection: psycopg's; no transaction need have begun.
        prepared: what this connection has prepared; statements are added to it.

    Attributes:
        session: the server's number of the connection.
    """

    def __init__(self, connection: "psycopg.Connection[object]", prepared: Prepared) -> None:
        self._pg = connection.pgconn
        self.session = self._pg.backend_pid
        self._prepared = prepared
        self._new: dict[bytes, bytes] = {}
        self._replies: list[Reply] = []
        self._open = False
        self._lost = False

    def send(self, statement: bytes, values: Sequence[bytes | None], rows: int = 0) -> Reply:
        """Send a statement.

        Args:
            statement: SQL.
            values: of its parameters, in their binary form.
            rows: how many rows it must write; `flush` checks it.

        Raises:
            psycopg.OperationalError: the connection is lost.
        """
        if not self._open:
            self._enter()
        name = self._prepared.get(statement) or self._new.get(statement)
        if name is None:
            name = self._new[statement] = self._prepared.new_name()
            self._pg.send_prepare(name, statement)
            self._expect(statement, 0)
        self._pg.send_query_prepared(name, values, [BINARY] * len(values))
        return self._expect(statement, rows)

    def flush(self) -> None:
        """Wait until all statements have run.

        Raises:
            psycopg.Error: the first error of a statement; none has an effect.
            IncompleteWrite: a statement wrote fewer rows than it must, which may be why a later
                one has an error.
        """
        if not self._open:
            return
        replies, self._replies = self._replies, []
        error = None
        for reply, result in zip(replies, self._results(), strict=True):
            if result.status == pq.ExecStatus.FATAL_ERROR:
                error = psycopg.errors.error_from_result(result)
                break
            written = result.command_tuples or 0
            if written < reply.rows:
                check_count(reply.statement.decode(), written, reply.rows)
            reply.result = result
        if error is not None:
            raise error
        self._prepared.add(self._new)
        self._new = {}

    def commit(self) -> None:
        """Flush, then commit: nothing is committed before every statement is checked.

        Raises:
            psycopg.Error: see `flush`, or the transaction could not be committed.
            IncompleteWrite: see `flush`.
        """
        self.flush()
        if self._pg.transaction_status == pq.TransactionStatus.INTRANS:
            self._enter()
            self._pg.send_query_params(b"COMMIT", None)
            self._expect(b"COMMIT", 0)
            self.flush()

    def abandon(self) -> bool:
        """Discard what was sent. Returns whether the connection can still be used to roll back."""
        try:
            if self._open and not self._lost:
                self._results()
        except psycopg.OperationalError:
            return False
        return not self._lost

    def _expect(self, statement: bytes, rows: int) -> Reply:
        reply = Reply(statement, rows)
        self._replies.append(reply)
        return reply

    def _enter(self) -> None:
        self._open = True
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        if self._pg.transaction_status == pq.TransactionStatus.IDLE:
            self._pg.send_query_params(BEGIN, None)
            self._expect(BEGIN, 0)

    def _results(self) -> list[PGresult]:
        """Receive all results, and leave the connection to psycopg."""
        self._lost = True
        self._pg.pipeline_sync()
        results = list(self._arriving())
        self._pg.exit_pipeline_mode()
        self._pg.nonblocking = 0
        self._open = self._lost = False
        return results

    def _arriving(self) -> Iterator[PGresult]:
        unsent = self._pg.flush()
        while True:
            while unsent or self._pg.is_busy():
                poll = select.poll()
                poll.register(self._pg.socket, _BUSY[bool(unsent)])
                if not poll.poll(WAIT_SECONDS * 1000):
                    raise psycopg.OperationalError(f"no answer within {WAIT_SECONDS:g} seconds")
                self._pg.consume_input()
                unsent = unsent and self._pg.flush()
            result = self._pg.get_result()
            if result is None:
                # The end of one statement's results, or of all results if the connection is lost.
                if self._pg.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError(self._pg.get_error_message())
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                return
            else:
                yield result

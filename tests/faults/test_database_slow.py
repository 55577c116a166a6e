"""A slow database: the queue is bounded, and requests over the bound get 503."""

import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest

from uptake.testing.live import LiveServer, serving
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import unique

from .raw import connected
from .uploads import Uploads, keys_of, log_of, samples, start_of

HASTY = Path(__file__).with_name("hasty.py")
SENDERS = 1000
MOST_WAITING = 800
"""Uploads that may wait at most: two groups, and the one that is being written."""

MEMORY_BYTES = 100_000_000
"""How much more memory that may take."""

ANSWER_SECONDS = 30.0


@pytest.fixture
def address(postgresql: Postgres) -> str:
    """An empty database."""
    return postgresql.create(unique("slow"))


@contextmanager
def _held_up(address: str) -> Iterator[None]:
    """While the block runs, no other connection can write users."""
    with closing(psycopg.connect(address)) as connection:
        connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        yield


def _memory(server: LiveServer) -> int:
    """Resident bytes of the process that serves."""
    assert server.process is not None
    main = server.process.pid
    [worker] = Path(f"/proc/{main}/task/{main}/children").read_text().split()[-1:]
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[1])
    return pages * 4096


def _request(key: str, number: int) -> bytes:
    body = msgspec.json.encode(
        {"user_id": f"{number}", "data_type": "steps", "data": samples(range(100))}
    )
    head = (
        "POST /api/v2.2/samples HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {key}",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body


def _answers(connections: Sequence[socket.socket], wanted: int) -> Counter[int]:
    """Statuses of the first answers that come, until there are as many as wanted."""
    poll = select.poll()
    waiting = {connection.fileno(): connection for connection in connections}
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    found: Counter[int] = Counter()
    until = time.monotonic() + ANSWER_SECONDS
    while found.total() < wanted and time.monotonic() < until:
        for descriptor, _ in poll.poll(1000):
            found[int(waiting[descriptor].recv(4096).split(b" ", 2)[1])] += 1
            poll.unregister(descriptor)
    return found


def test_the_queue_is_bounded_and_the_rest_get_503_at_once(address: str, data_dir: Path) -> None:
    """The queued requests are written when the database continues."""
    with serving(data_dir, database=address) as server, ExitStack() as stack:
        key, _ = keys_of(server, "1")
        uploads = Uploads(server.url, key)
        assert uploads.samples("before", range(3)).status_code == 200
        before = _memory(server)
        with _held_up(address):
            connections = []
            for number in range(SENDERS):
                connections.append(stack.enter_context(connected(server.url)))
                connections[-1].sendall(_request(key, number))
            rejected = _answers(connections, SENDERS - MOST_WAITING)
            assert set(rejected) == {503}
            grown = _memory(server) - before
        accepted = _answers_of_the_rest(connections, rejected.total())
        assert accepted[200] >= 500
        assert grown < MEMORY_BYTES
        stored = [uploads.starts(f"{number}") for number in (0, 1)]
        assert [len(starts) for starts in stored] == [100, 100]
        assert "Traceback" not in log_of(server)
        uploads.close()


def _answers_of_the_rest(connections: Sequence[socket.socket], answered: int) -> Counter[int]:
    """The statuses of the other responses, which have not been read yet."""
    return _answers(connections, len(connections) - answered)


def test_an_upload_waits_for_a_bounded_time(address: str, data_dir: Path) -> None:
    """Then it gets 503, and an upload that has not begun is not written; later uploads succeed."""
    server = LiveServer(data_dir, address, program=[sys.executable, str(HASTY)])
    server.start()
    try:
        key, _ = keys_of(server, "1")
        uploads = Uploads(server.url, key)
        assert uploads.samples("1", range(3)).status_code == 200
        with _held_up(address):
            began = time.monotonic()
            answer = uploads.samples("1", range(3, 6))
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert 0.9 < time.monotonic() - began < 5
        assert uploads.samples("1", range(6, 9)).status_code == 200
        stored = uploads.starts("1")
        assert len(set(stored)) == len(stored)
        assert {start_of(minute) for minute in (0, 1, 2, 6, 7, 8)} <= set(stored)
        uploads.close()
    finally:
        server.kill()


def test_groups_grow_where_each_takes_long(
    postgresql: Postgres, address: str, data_dir: Path
) -> None:
    """A fifth of a second for each commit, and still hundreds of uploads in a second."""
    with serving(data_dir, database=address) as server, ExitStack() as stack:
        key, _ = keys_of(server, "1")
        postgresql.execute(
            """
            CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
            CREATE TRIGGER dawdle AFTER INSERT ON sample_batches
                EXECUTE FUNCTION dawdle()
            """,
            address.rpartition("/")[2],
        )
        connections = [stack.enter_context(connected(server.url)) for _ in range(200)]
        began = time.monotonic()
        for number, connection in enumerate(connections):
            connection.sendall(_request(key, number))
        assert _answers(connections, len(connections)) == {200: len(connections)}
        assert time.monotonic() - began < 10

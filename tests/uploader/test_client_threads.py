"""One client can be used by many threads, and sends no request twice that is not idempotent."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from contract.pictures import encoded
from uploader.accepting import accepting
from uploader.hostile import answer, read_request
from uptake import Broken, Client, Sample
from uptake.testing.live import LiveServer

THREADS = 16
EACH = 313
"""Documents that each thread sends, and as many batches of samples: 10,016 uploads in all."""


def test_each_thread_gets_its_own_answers(live: LiveServer, tmp_path: Path) -> None:
    """Sixteen threads use one client: every returned id belongs to the document that was sent."""
    live.command("projects", "create", "threads")
    live.create_type("n", "threads")
    scopes = ("user-data:write", "samples:write", "images:write")
    with Client(live.url, live.create_key(*scopes, project="threads")) as client:

        def send(thread: int) -> list[tuple[str, str]]:
            """Send documents and samples. Returns ids and names of the documents."""
            sent = []
            for number in range(EACH):
                user, name = str(1000 + thread), f"{thread}-{number}"
                sent.append((client.send_document("n", user, {"name": name}).reference, name))
                wrong = number % 3
                values = [-1 if i == wrong else 5 for i in range(3)]
                start = f"2026-01-31T{number // 60:02d}:{number % 60:02d}:0"
                samples = [
                    Sample("Watch", f"{start}{i}Z", "count", value)
                    for i, value in enumerate(values)
                ]
                outcomes = client.send_samples(user, "steps", samples)
                assert [one.accepted for one in outcomes] == [i != wrong for i in range(3)]
                if number % 50 == 0:
                    image = client.send_image(user, encoded("PNG", thread + 1, number + 1))
                    assert image.reference.startswith("http")
            return sent

        with ThreadPoolExecutor(THREADS) as pool:
            sent = dict(one for found in pool.map(send, range(THREADS)) for one in found)
    assert len(sent) == THREADS * EACH
    path = tmp_path / "documents.ndjson"
    live.command("export", "documents", str(path), "--project", "threads")
    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert {row["upload_id"]: row["data"]["name"] for row in rows} == sent


@dataclass
class Counting:
    """A server that takes requests and closes connections without an answer.

    Attributes:
        url: its address.
        bodies: the received bodies.
    """

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def counting(answers: int) -> Iterator[Counting]:
    """Run the server; it answers this many requests of each connection."""
    server = Counting()

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            for number in range(answers + 1):
                if not (body := read_request(file)[1]):
                    break
                server.bodies.append(body)
                if number < answers:
                    connection.sendall(answer(200, b'{"uploadId": "1"}'))

    with accepting(serve) as server.url:
        yield server


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_request_that_is_not_idempotent_is_never_sent_twice(answers: int) -> None:
    """A document without an idempotency key may have arrived, so the caller gets an exception."""
    with counting(answers) as server, Client(server.url, "k") as client:
        for number in range(answers):
            assert client.send_document("t", "u", {"n": number}).reference == "1"
        with pytest.raises(Broken):
            client.send_document("t", "u", {"n": "lost"})
        assert [b"lost" in body for body in server.bodies].count(True) == 1


def test_an_idempotent_request_is_sent_again_on_a_new_connection() -> None:
    """The server stores a document with an idempotency key once."""
    with counting(1) as server, Client(server.url, "k") as client:
        for number in range(3):
            assert client.send_document(
                "t", "u", {"n": number}, idempotency_key=f"{number}"
            ).reference
        assert [msgspec.json.decode(body)["data"]["n"] for body in server.bodies] == [0, 1, 1, 2, 2]


def test_a_closed_idle_connection_is_replaced() -> None:
    """Also for a request that must not be sent twice."""
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer(200, b'{"uploadId": "1"}'))
        connection.close()
        closed.set()

    with accepting(serve) as url, Client(url, "k") as client:
        assert client.send_document("t", "u", {}).accepted
        assert closed.wait(20)
        assert client.send_document("t", "u", {}).accepted

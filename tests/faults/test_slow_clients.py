"""Clients that take forever: others are served, and the connection ends in bounded time."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from uptake.http.limits import ClientGone, Drain, Patience, disconnected, read_body
from uptake.model.problems import Kinds, Problem
from uptake.testing.live import LiveServer

from .raw import connected, read_all, request

pytestmark = pytest.mark.usefixtures("served_throughout")

SLOW = 64
IMPATIENT = Path(__file__).with_name("impatient.py")


def test_while_many_clients_drip_others_are_served(live: LiveServer, key: str) -> None:
    """Many connections, each with a byte of its body now and then, delay no other client."""
    head = {
        b"Authorization": b"Bearer " + key.encode(),
        b"Content-Length": b"1000",
    }
    body = {"field_name": ["user_id", "a"], "values": [["slow-others", "1"]]}
    bearer = {"Authorization": f"Bearer {key}"}
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(live.url)) for _ in range(SLOW)]
        for connection in slow:
            connection.sendall(request(b"POST", b"/v1/user/profiles", head))
        half = [stack.enter_context(connected(live.url)) for _ in range(SLOW)]
        for connection in half:
            connection.sendall(b"POST /v1/user/profiles HTTP/1.1\r\nHost: loc")
        for _ in range(5):
            for connection in slow:
                connection.sendall(b" ")
            answer = httpx2.post(
                f"{live.url}/v1/user/profiles", json=body, headers=bearer, timeout=20
            )
            assert answer.status_code == 200


def test_headers_that_never_end_end_the_connection(data_dir: Path) -> None:
    """However often another byte comes."""
    server = LiveServer(data_dir, program=[sys.executable, str(IMPATIENT)])
    try:
        server.start()
        with connected(server.url) as silent, connected(server.url) as dripping:
            started = time.monotonic()
            silent.sendall(b"POST /v1/user/profiles HTTP/1.1\r\nHost: loc")
            dripping.sendall(b"POST /v1/user/profiles HTTP/1.1\r\n")
            dripping.settimeout(0.1)
            while time.monotonic() - started < 30:
                try:
                    dripping.sendall(b"X-More: x\r\n")
                    if not dripping.recv(1000):
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
            assert time.monotonic() - started < 30
            read_all(silent)
            assert time.monotonic() - started < 30
        assert httpx2.get(f"{server.url}/health/live").status_code == 200
    finally:
        server.kill()


def _dripping(part: bytes, pause: float) -> Callable[[], Awaitable[Any]]:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": part, "more_body": True}

    return receive


def _problem_of(receive: Any, patience: Patience) -> Problem:
    with pytest.raises(Problem) as raised:
        asyncio.run(read_body(receive, {}, 1000, patience))
    return raised.value


def test_a_body_that_stops_coming_is_a_timeout() -> None:
    """After `idle` seconds without a byte."""
    problem = _problem_of(_dripping(b"", 3600), Patience(idle=0.05, total=3600))
    assert (problem.kind, problem.status) == (Kinds.TIMEOUT, 408)


def test_a_body_that_drips_is_a_timeout() -> None:
    """After `total` seconds, however regularly its bytes come; sooner if it is below the rate."""
    for patience in (Patience(idle=3600, total=0.2), Patience(idle=0.2, rate=1000)):
        started = time.monotonic()
        problem = _problem_of(_dripping(b" ", 0.02), patience)
        assert (problem.kind, problem.status) == (Kinds.TIMEOUT, 408)
        assert time.monotonic() - started < 20


def test_a_slow_body_that_keeps_the_rate_is_read() -> None:
    """Each part buys the time for the next ones."""
    parts = iter([b"x" * 100] * 20)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.03)
        part = next(parts, b"")
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    patience = Patience(idle=0.3, rate=500)
    body = asyncio.run(read_body(receive, {}, 10_000, patience))  # type: ignore[arg-type]
    assert len(body.content) == 2000


def test_a_body_is_discarded_when_its_sender_disconnects() -> None:
    """It is neither accepted nor rejected."""

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        asyncio.run(read_body(receive, {}, 1000))  # type: ignore[arg-type]


@pytest.mark.parametrize("pause", [0.0, 3600.0], ids=["endless", "silent"])
def test_a_body_is_read_on_after_an_early_answer_within_bounds(pause: float) -> None:
    """For so many bytes and so many seconds, then its connection is given up."""
    sent: list[Any] = []

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "headers": [(b"content-length", b"99")]}
    drain = Drain(answer, limit=100_000, seconds=0.1)
    asyncio.run(drain(scope, _dripping(b"x" * 1000, pause), send))
    assert [message["status"] for message in sent] == [401]


def test_a_rejection_does_not_wait_for_the_body(live: LiveServer) -> None:
    """A key is checked before the body is read, and the sender gets 401 at once."""
    head = {b"Authorization": b"Bearer unknown", b"Content-Length": b"1000"}
    with connected(live.url) as connection:
        started = time.monotonic()
        connection.sendall(request(b"POST", b"/v1/user/profiles", head))
        assert connection.recv(12) == b"HTTP/1.1 401"
        assert time.monotonic() - started < 5


def test_an_answer_to_a_body_that_was_read_waits_for_nothing() -> None:
    """What has been read to its end is not read again."""
    received = 0
    sent: list[Any] = []

    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "headers": [(b"content-length", b"2")]}
    asyncio.run(Drain(answer)(scope, receive, send))  # type: ignore[arg-type]
    assert (received, len(sent)) == (1, 1)


@pytest.mark.parametrize(
    ("header", "messages"),
    [((b"content-length", b"6"), 2), ((b"transfer-encoding", b"chunked"), 3)],
)
def test_a_body_ends_with_its_last_byte(header: tuple[bytes, bytes], messages: int) -> None:
    """The message about the end of the body is awaited only if the length was not sent."""
    parts = iter([b"abc", b"def", b""])
    received: list[bytes] = []

    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive, {}, 100)
        assert body.content == b"abcdef"
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        received.append(next(parts))
        return {"type": "http.request", "body": received[-1], "more_body": bool(received[-1])}

    async def send(_message: Any) -> None:
        pass

    scope: Any = {"type": "http", "headers": [header]}
    asyncio.run(Drain(answer)(scope, receive, send))  # type: ignore[arg-type]
    assert len(received) == messages


@pytest.mark.parametrize("body", [b"{}", b""], ids=["with a body", "without a body"])
def test_a_cancelled_wait_for_the_client_does_not_disconnect_it(body: bytes) -> None:
    """The HTTP server reports a client as gone if the reading of a body's end is cancelled."""
    is_reading, end = asyncio.Event(), asyncio.Event()
    messages = iter(["body", "end", "disconnected"] if body else ["end", "disconnected"])
    received: list[str] = []

    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        assert (await read_body(receive, {}, 100)).content == body
        for _ in range(2):
            waiting = asyncio.create_task(disconnected(receive))
            await is_reading.wait()
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        end.set()
        await disconnected(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        received.append(next(messages))
        if received[-1] == "disconnected":
            return {"type": "http.disconnect"}
        if received[-1] == "body":
            return {"type": "http.request", "body": body, "more_body": True}
        is_reading.set()
        try:
            await end.wait()
        except asyncio.CancelledError:
            received.append("cancelled")
            raise
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        received.append(message["type"])

    scope: Any = {"type": "http", "headers": [(b"content-length", b"%d" % len(body))]}
    asyncio.run(Drain(answer)(scope, receive, send))  # type: ignore[arg-type]
    begin = ["body"] if body else []
    assert received == [*begin, "end", "disconnected", "http.response.start"]


def test_a_rejected_body_without_end_ends_the_connection(live: LiveServer) -> None:
    """A longer body than the server discards: the sender gets a response and is disconnected."""
    head = {b"Authorization": b"Bearer unknown", b"Content-Length": b"100000000000"}
    part = b"x" * 1_000_000
    with connected(live.url) as connection:
        connection.sendall(request(b"POST", b"/v1/user/profiles", head))
        sent = 0
        with contextlib.suppress(ConnectionError, socket.timeout):
            while sent < 2_000_000_000:
                connection.sendall(part)
                sent += len(part)
        assert sent < 2_000_000_000
    assert httpx2.get(f"{live.url}/health/live").status_code == 200

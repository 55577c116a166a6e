"""A server that is asked to stop finishes its requests, and rejects new ones."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2

from uptake.testing.live import LiveServer, serving

from .ledger import ALL_KINDS, BOUND_USER, Ledger, Load, verify
from .raw import connected
from .uploads import Uploads, keys_of, problem_of

LEAVING = (
    httpx2.ConnectError,
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.RemoteProtocolError,
)
"""How a client sees a connection that is closed or no longer taken."""


def test_stopped_under_mixed_load_it_exits_with_0_and_keeps_what_it_acknowledged(
    data_dir: Path,
) -> None:
    """Clients get answers or closed connections; none is left waiting."""
    ledger = Ledger()
    server = LiveServer(data_dir)
    server.start()
    keys = keys_of(server, BOUND_USER)
    try:
        load = Load(ledger, server.url, keys, threads=6)
        load.start(first=0)
        time.sleep(1.0)
        status = server.stop()
        load.end()
        assert status == 0, server.log
        assert all(isinstance(error, LEAVING) for error in load.broken), load.broken
        assert "Traceback" not in server.log
        server.start()
        uploads = Uploads(server.url, *keys)
        assert ledger.kinds == ALL_KINDS
        verify(ledger, uploads)
        uploads.close()
    finally:
        server.kill()


def test_a_stopping_server_finishes_its_requests_and_rejects_new_ones(data_dir: Path) -> None:
    """New ones get 503 on old and new connections; earlier ones get 200 and are stored."""
    with serving(data_dir) as server, ExitStack() as stack:
        keys = keys_of(server, BOUND_USER)
        uploads = Uploads(server.url, *keys)
        head, body = _document(keys[0])
        slow, idle = (stack.enter_context(connected(server.url)) for _ in range(2))
        idle.sendall(head + body)
        assert b" 200 OK" in idle.recv(4096)
        slow.sendall(head + body[:10])
        _wait_for(lambda: uploads.get("/health/ready").status_code == 200)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        _wait_for(lambda: uploads.get("/health/ready").status_code == 503)
        for name, send in uploads.one_of_each(BOUND_USER, 1).items():
            answer = send()
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["connection"] == "close"
            problem_of(name, answer)
        idle.sendall(head + body)
        assert b" 503 Service Unavailable" in idle.recv(4096)
        assert uploads.get("/health/live").status_code == 200
        assert uploads.get("/api/status").json()["status"] == "Maintenance"
        slow.sendall(body[10:])
        assert b" 200 OK" in slow.recv(4096)
        assert server.process.wait(30) == 0
        uploads.close()
        server.start()
        uploads = Uploads(server.url, *keys)
        assert uploads.read("/users/1")["documents"] == 2
        uploads.close()


def _document(key: str) -> tuple[bytes, bytes]:
    body = b'{"user": {"userLabel": "1"}, "data": {}}'
    head = (
        "POST /v1/user-data/diary HTTP/1.1",
        "Host: localhost",
        f"x-api-key: {key}",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(head).encode(), body


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)

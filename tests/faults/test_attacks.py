"""What a stranger, or the holder of a small key, can try without disturbing anybody else."""

import contextlib
import gzip
import io
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from service_probe import ServiceProbe, probing
from uptake.testing.live import LiveServer

from .raw import connected, exchange, request
from .uploads import log_of

Probing = Callable[[], AbstractContextManager[ServiceProbe]]
UNREAD = Path(__file__).with_name("unread.py")
BODY = b'{"field_name": ["user_id", "a"], "values": [["honest", "1"]]}'


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with little patience for clients that do not read."""
    server = LiveServer(
        tmp_path_factory.mktemp("attacked") / "data", program=[sys.executable, str(UNREAD)]
    )
    server.start()
    try:
        yield server
        log = log_of(server)
        assert "Traceback" not in log
        assert '"status":500' not in log
    finally:
        server.kill()


@pytest.fixture
def honest(attacked: LiveServer) -> Probing:
    """Probes the server, with a key of its own, while a block runs."""
    key = attacked.create_key("samples:write")
    return lambda: probing([attacked.url], key)


def test_slow_senders_of_announced_large_bodies_disturb_no_one(
    attacked: LiveServer, honest: Probing
) -> None:
    """64 of them, of 4 MiB each; also with as many images, and with another key for each ten."""
    keys = [attacked.create_key() for _ in range(3)]
    with honest(), contextlib.ExitStack() as stack:
        drips = []
        for i in range(128):
            head = {
                b"Authorization": b"Bearer " + keys[i % 3].encode(),
                b"Content-Length": b"4194304",
                b"Content-Type": b"multipart/form-data; boundary=b",
            }
            path = b"/v1/user/profiles" if i % 2 else b"/a/api/v2/users/1/images"
            path += b"" if i % 2 else b"?apiKey=" + keys[i % 3].encode()
            drip = stack.enter_context(connected(attacked.url))
            drip.sendall(request(b"POST", path, head))
            drips.append(drip)
        for _ in range(15):
            for drip in drips:
                drip.sendall(b" ")
            time.sleep(0.1)


def test_many_small_compressed_uploads_at_once_are_accepted(
    attacked: LiveServer, honest: Probing
) -> None:
    """600 of them, 200 at a time, without a length known before."""
    key = attacked.create_key()
    packed = gzip.compress(BODY)
    chunked = b"%x\r\n" % len(packed) + packed + b"\r\n0\r\n\r\n"
    common = {b"Authorization": b"Bearer " + key.encode(), b"Content-Encoding": b"gzip"}
    uploads = [
        ({b"Content-Length": str(len(packed)).encode()}, packed),
        ({b"Transfer-Encoding": b"chunked"}, chunked),
    ]

    def send(number: int) -> int:
        headers, content = uploads[number % 2]
        sent = request(b"POST", b"/v1/user/profiles", common | headers, content)
        return exchange(attacked.url, sent).status

    with honest(), ThreadPoolExecutor(200) as pool:
        assert set(pool.map(send, range(600))) == {200}


def test_idle_connections_do_not_block_other_clients(attacked: LiveServer, honest: Probing) -> None:
    """1,500 that send nothing, or half a line."""
    with honest(), contextlib.ExitStack() as stack:
        for i in range(1500):
            idle = stack.enter_context(connected(attacked.url))
            if i % 2:
                idle.sendall(b"POST /v1/us")
        time.sleep(1)


def test_unread_responses_are_dropped(attacked: LiveServer, honest: Probing) -> None:
    """Large ones, requested on many connections, several on each; their memory is released."""
    key = attacked.create_key("images:write", "data:read")
    out = io.BytesIO()
    Image.frombytes("RGB", (700, 700), os.urandom(700 * 700 * 3)).save(out, "PNG")
    image = out.getvalue()
    sent = httpx2.post(
        f"{attacked.url}/a/api/v2/users/9/images",
        params={"apiKey": key},
        files={"file": ("a", image)},
        timeout=60,
    )
    assert sent.status_code == 200, sent.text
    paths = [sent.json()["response"]["imageURL"].removeprefix(attacked.url), "/openapi.json"]
    assert httpx2.get(attacked.url + paths[0]).status_code == 200
    before, files = _memory(attacked), _files(attacked)
    with honest(), contextlib.ExitStack() as stack:
        for i in range(150):
            client = stack.enter_context(_with_small_window(attacked.url))
            path = paths[i % 2].encode()
            client.sendall(request(b"GET", path, {b"Connection": b"keep-alive"}) * 5)
        until = time.monotonic() + 60
        while _files(attacked) > files + 20:
            assert time.monotonic() < until, _files(attacked)
            time.sleep(0.2)
        assert _memory(attacked) < before + 200_000
    with connected(attacked.url) as reader:
        reader.sendall(request(b"GET", paths[0].encode(), {}))
        assert reader.recv(12) == b"HTTP/1.1 200"


def test_a_slow_reader_that_keeps_the_rate_gets_its_answer(attacked: LiveServer) -> None:
    """All of it, after several times the patience."""
    with _with_small_window(attacked.url) as reader:
        reader.sendall(request(b"GET", b"/openapi.json", {}))
        received, started = b"", time.monotonic()
        while part := reader.recv(8192):
            received += part
            time.sleep(0.1 if time.monotonic() - started < 6 else 0)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert len(body) == length


@contextlib.contextmanager
def _with_small_window(url: str) -> Iterator[socket.socket]:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect((host, int(port)))
        yield client


def _serving(server: LiveServer) -> str:
    assert server.process is not None
    main = server.process.pid
    return Path(f"/proc/{main}/task/{main}/children").read_text().split()[0]


def _files(server: LiveServer) -> int:
    return len(list(Path(f"/proc/{_serving(server)}/fd").iterdir()))


def _memory(server: LiveServer) -> int:
    status = Path(f"/proc/{_serving(server)}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])

"""Large images, many at once: what a server holds of them in memory."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx2
import pytest
from benchmarks.memory import MEGABYTE, MemoryLog, proportional_bytes

from contract.pictures import noise
from uptake.testing.live import LiveServer, serving
from uptake.testing.seaweedfs import SeaweedFS

MIB = 1024 * 1024
SENDERS = 8
"""As many as have room: bodies of one peer may take 192 MiB at once, those of one key 128."""

TRIES = 5
READERS = 60
UPLOADS_MEGABYTES = 470
"""More than before while 160 MB of images come in, of which a few are worked on at a time."""

DOWNLOADS_MEGABYTES = 400
"""More than before while 60 clients stand still in the middle of 21 MB each, 1260 together."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFS) -> Iterator[LiveServer]:
    """A server of its own, so that nothing else is in its memory."""
    folder = tmp_path_factory.mktemp("memory") / "data"
    blobs = seaweedfs.url("memory/images")
    with serving(folder, "--blobs", blobs, **seaweedfs.environment) as running:
        yield running


@pytest.fixture(scope="module")
def secret(server: LiveServer) -> str:
    """A key that may send images; one has been sent, so that everything is loaded."""
    key = server.create_key("images:write")
    _upload(server, key, noise(2000))
    return key


def _upload(server: LiveServer, key: str, content: bytes) -> str:
    """The address of an image, sent until there is room for it."""
    for _ in range(TRIES):
        answer = httpx2.post(
            f"{server.url}/a/api/v2/users/1/images",
            params={"apiKey": key},
            files={"file": ("picture", content)},
            timeout=60,
        )
        if answer.status_code != 503:
            break
        time.sleep(int(answer.headers["retry-after"]))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["response"]["imageURL"])


@contextmanager
def _growing_less_than(megabytes: int, server: LiveServer) -> Iterator[None]:
    assert server.process is not None
    before = proportional_bytes(server.process.pid) / MEGABYTE
    log = MemoryLog(server.process.pid)
    try:
        yield
    finally:
        log.stop()
    assert 0 < log.peak_megabytes < before + megabytes


def test_images_that_come_in_are_held_once(server: LiveServer, secret: str) -> None:
    """And where one is worked on, twice."""
    images = [noise(20 * MIB - number) for number in range(SENDERS)]
    keys = [secret, server.create_key("images:write")] * SENDERS
    with _growing_less_than(UPLOADS_MEGABYTES, server), ThreadPoolExecutor(SENDERS) as pool:
        urls = set(pool.map(lambda key, image: _upload(server, key, image), keys, images))
    assert len(urls) == SENDERS


def test_images_that_go_out_slowly_are_held_in_pieces(server: LiveServer, secret: str) -> None:
    """A client that reads nothing holds up what is read for it."""
    url = httpx2.URL(_upload(server, secret, noise(20 * MIB - SENDERS)))
    asked = f"GET {url.path} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode()
    with _growing_less_than(DOWNLOADS_MEGABYTES, server), ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((url.host, url.port)))
            for _ in range(READERS)
        ]
        for client in clients:
            client.sendall(asked)
        for client in clients:
            assert client.recv(20).startswith(b"HTTP/1.1 200")
        time.sleep(1)

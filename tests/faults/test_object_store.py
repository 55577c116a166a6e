"""An object store that is killed, hangs, comes back, or has lost something."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from contract.pictures import noise
from uptake.blobs import Blobs, open_blobs
from uptake.settings import Settings
from uptake.store.stored import StoredRejection
from uptake.testing.live import LiveServer, serving
from uptake.testing.seaweedfs import SeaweedFS
from uptake.wiring import open_store

from .ledger import ALL_KINDS, BOUND_USER, Ledger, Load, verify
from .pictures import picture
from .uploads import Uploads, keys_of, log_of, problem_of

MIB = 1024 * 1024
IMAGES = "questionpro"
PLACE = "faults/images"

AT_ONCE = 3.0
"""Seconds within which an answer comes that need not wait for the object store, on a busy machine;
and one about an object store that rejects connections."""

HANGING = 12.0
"""Seconds within which one comes that had to wait for it: a request to it may take 8."""

BACK = 5.0
"""Seconds after which images are taken again when it is back."""

UPLOADERS = 24


@pytest.fixture(scope="module")
def server(seaweedfs: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that keeps images in the object store and is never restarted."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    with serving(folder, "--blobs", seaweedfs.url(PLACE), **seaweedfs.environment) as running:
        yield running
        assert "Traceback" not in log_of(running)


@pytest.fixture(scope="module")
def uploads(server: LiveServer) -> Iterator[Uploads]:
    """Sends to it."""
    opened = Uploads(server.url, *keys_of(server, "4001"))
    yield opened
    opened.close()


@pytest.fixture
def bucket(seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """What the server keeps, beside it."""
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    return open_blobs(seaweedfs.url(PLACE))


@pytest.fixture(autouse=True)
def _runs_again(seaweedfs: SeaweedFS) -> Iterator[None]:
    yield
    if seaweedfs.process is None:
        seaweedfs.start()


def _assert_only_images_fail(uploads: Uploads, number: int) -> None:
    """Each endpoint answers at once: that of images 503, the others 200."""
    for name, send in uploads.one_of_each("61", number).items():
        began = time.monotonic()
        answer = send()
        assert time.monotonic() - began < AT_ONCE, name
        if name == IMAGES:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert problem_of(name, answer) == "SERVICE_UNAVAILABLE"
        else:
            assert answer.status_code == 200, (name, answer.text)
    assert uploads.get("/health/ready").status_code == 200


def _send_until_stored(uploads: Uploads, user: str, content: bytes) -> None:
    """Send an image, and retry after each 503, as a client does."""
    until = time.monotonic() + BACK
    while (answer := uploads.image(user, content)).status_code == 503:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert answer.status_code == 200


def _path_of(answer: httpx2.Response) -> str:
    assert answer.status_code == 200, answer.text
    return httpx2.URL(answer.json()["response"]["imageURL"]).path


def test_killed_and_restarted_under_load_only_images_wait(
    server: LiveServer, uploads: Uploads, seaweedfs: SeaweedFS
) -> None:
    """Nothing that was acknowledged is lost, and the server need not be restarted."""
    ledger = Ledger()
    bound_key = server.create_key("samples:write", user=BOUND_USER)
    load = Load(ledger, server.url, (uploads.keys[0], bound_key))
    load.start(first=0)
    for number in (1, 2):
        time.sleep(0.5)
        seaweedfs.kill()
        _assert_only_images_fail(uploads, number)
        seaweedfs.start()
        _send_until_stored(uploads, "61", picture(number))
    stored = len(ledger.images)
    time.sleep(0.5)
    load.end()
    assert load.broken == []
    assert len(ledger.images) > stored
    assert ledger.kinds == ALL_KINDS
    verify(ledger, uploads)


def test_a_hanging_store_delays_only_requests_that_need_it(
    uploads: Uploads, seaweedfs: SeaweedFS
) -> None:
    """Each of many waiting requests gets 503 within seconds; all succeed once it continues."""
    path = _path_of(uploads.image("62", picture(900)))
    assert seaweedfs.process is not None
    os.kill(seaweedfs.process.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(UPLOADERS) as pool:
            began = time.monotonic()
            waiting = [pool.submit(uploads.image, "62", picture(n)) for n in range(UPLOADERS)]
            waiting.append(pool.submit(uploads.get, path))
            others = uploads.one_of_each("62", 100)
            del others[IMAGES]
            for name, send in others.items():
                assert send().status_code == 200, name
            assert uploads.read("/users/62")["images"] == 1
            assert time.monotonic() - began < AT_ONCE
            assert {503} == {answer.result().status_code for answer in waiting}
            assert time.monotonic() - began < HANGING
    finally:
        os.kill(seaweedfs.process.pid, signal.SIGCONT)
    _send_until_stored(uploads, "62", picture(901))
    assert uploads.get(path).content == picture(900)


def _rejections(server: LiveServer) -> list[StoredRejection]:
    store = open_store(Settings(data_dir=server.data_dir))
    try:
        return list(store.rejections("default", "", 10))
    finally:
        store.close()


def test_rejections_are_stored_while_it_is_down(
    server: LiveServer, uploads: Uploads, seaweedfs: SeaweedFS, bucket: Blobs
) -> None:
    """In its row as long as it is no larger than a JSON body may be; else it is 503."""
    large = {"field_name": ["user_id"], "values": [["x" * (3 * MIB)]]}
    assert uploads.post("/v1/user/profiles", large).status_code == 400
    seaweedfs.kill()
    assert uploads.post("/v1/user/profiles", large).status_code == 400
    assert uploads.image("65", b"no image" * MIB).status_code == 503
    assert uploads.image("65", b"no image").status_code == 400
    seaweedfs.start()
    assert uploads.image("65", b"no image" * MIB).status_code == 400

    body = httpx2.Request("POST", "http://x", json=large).read()
    first, second, third, fourth = (stored.record for stored in _rejections(server))
    assert first.raw_blob is not None
    assert (first.raw, bucket.get(first.raw_blob)) == (b"", body)
    assert (second.raw, second.raw_blob) == (body, None)
    assert (third.raw, third.raw_blob) == (b"no image", None)
    assert fourth.raw_blob is not None
    assert bucket.get(fourth.raw_blob) == b"no image" * MIB


def test_an_image_without_bytes_is_404_until_it_is_sent_again(
    server: LiveServer, uploads: Uploads, bucket: Blobs
) -> None:
    """To ask again would not help; whoever looks after the server finds it in the log."""
    path = _path_of(uploads.image("63", picture(1)))
    bucket.delete(list(bucket.names("images/")))
    answer = uploads.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "image without bytes" in log_of(server)
    assert path == _path_of(uploads.image("63", picture(1)))
    assert uploads.get(path).content == picture(1)


def test_a_download_outlives_a_restart_of_the_object_store(
    server: LiveServer, uploads: Uploads, seaweedfs: SeaweedFS
) -> None:
    """Its parts are asked for one by one, so a slow client needs no connection that lasts."""
    content = noise(20 * MIB)
    path = _path_of(uploads.image("1", content))
    with httpx2.stream("GET", server.url + path, timeout=30) as answer:
        parts = answer.iter_raw(MIB)
        received = [next(parts)]
        time.sleep(0.5)
        seaweedfs.kill()
        seaweedfs.start()
        received += parts
    assert b"".join(received) == content


def test_a_download_that_cannot_go_on_is_cut_off(
    server: LiveServer, uploads: Uploads, bucket: Blobs
) -> None:
    """The client sees that the response is incomplete."""
    path = _path_of(uploads.image("64", noise(20 * MIB)))
    with httpx2.stream("GET", server.url + path, timeout=30) as answer:
        assert answer.status_code == 200
        parts = answer.iter_raw(MIB)
        next(parts)
        time.sleep(0.5)
        bucket.delete(list(bucket.names("images/")))
        with pytest.raises(httpx2.RemoteProtocolError):
            list(parts)
    assert uploads.get("/health/ready").status_code == 200

"""A key that sends images that are costly to decode: the others are served as before."""

import io
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from service_probe import probing
from uptake.testing.live import LiveServer, serving

from .pictures import picture

STOP_SECONDS = 45
"""After which the systemd unit kills a server that was asked to stop."""

_ORIENTATION = 0x0112


@cache
def _huge(side: int = 9450) -> bytes:
    """89 million pixels in half a megabyte, progressive and to be turned."""
    turned = Image.Exif()
    turned[_ORIENTATION] = 6
    out = io.BytesIO()
    Image.new("RGB", (side, side), (10, 200, 30)).save(
        out, "JPEG", quality=30, progressive=True, exif=turned
    )
    return out.getvalue()


@cache
def _many_scans() -> bytes:
    """A progressive JPEG that comes to the limit of scans and pixels."""
    plain = io.BytesIO()
    Image.new("RGB", (6000, 4500), (10, 200, 30)).save(plain, "JPEG", progressive=True)
    content = plain.getvalue()
    scans = [at for at in range(len(content)) if content[at : at + 2] == b"\xff\xda"]
    return content[: scans[2]] + content[scans[1] : scans[2]] * 22 + content[scans[2] :]


@cache
def _animation() -> bytes:
    """A GIF of very many pixels."""
    frames = [Image.new("P", (3000, 3000), number % 2) for number in range(24)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], disposal=1)
    return out.getvalue()


@cache
def _lossless() -> bytes:
    """A WebP of many pixels."""
    out = io.BytesIO()
    Image.new("RGB", (9000, 9000), (10, 200, 30)).save(out, "WEBP", lossless=True, quality=0)
    return out.getvalue()


HEAVY: dict[str, Callable[[], bytes]] = {
    "turned": _huge,
    "scans": _many_scans,
    "animation": _animation,
    "lossless": _lossless,
}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own."""
    with serving(tmp_path_factory.mktemp("heavy") / "data", "--image-rate", "300") as running:
        yield running


def _send(server: LiveServer, key: str, content: bytes, user: int = 1) -> httpx2.Response:
    return httpx2.post(
        f"{server.url}/a/api/v2/users/{user}/images",
        params={"apiKey": key},
        files={"file": ("picture", content)},
        timeout=60,
    )


def test_others_are_served_while_keys_send_heavy_images(server: LiveServer) -> None:
    """Readiness, another key's images and large bodies; the heavy ones get an answer each."""
    honest = server.create_key()
    keys = {kind: server.create_key("images:write") for kind in HEAVY}
    contents = {kind: draw() for kind, draw in HEAVY.items()}
    others = _honest(server, honest)
    with probing([server.url], honest, others), ThreadPoolExecutor(16) as pool:
        answers = [
            pool.submit(_send, server, keys[kind], contents[kind], user)
            for user in range(1, 4)
            for kind in HEAVY
        ]
    statuses = {answer.result().status_code for answer in answers}
    assert statuses <= {200, 429, 503}
    assert {200} <= statuses
    for answer in (answer.result() for answer in answers):
        assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1


def _honest(server: LiveServer, key: str) -> dict[str, Callable[[], httpx2.Response]]:
    numbers = itertools.count()
    rows = [["honest", *["x" * 100] * 40] for _ in range(100)]
    table = {"field_name": ["user_id", *(f"f{n}" for n in range(40))], "values": rows}
    return {
        "image": lambda: _send(server, key, picture(next(numbers))),
        "large body": lambda: httpx2.post(
            f"{server.url}/v1/user/profiles",
            headers={"Authorization": f"Bearer {key}"},
            json=table,
            timeout=60,
        ),
    }


def test_beyond_its_rate_a_key_is_answered_429(data_dir: Path) -> None:
    """`--image-rate` counts the pixels of a key; other keys are not concerned."""
    with serving(data_dir, "--image-rate", "10") as server:
        heavy, honest = server.create_key("images:write"), server.create_key("images:write")
        answers = [_send(server, heavy, _huge(3000)) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert int(answers[1].headers["retry-after"]) >= 1
        error = answers[1].json()["response"]["error"]
        assert (error["name"], error["id"]) == ("TOO_MANY_REQUESTS", "1013")
        assert _send(server, honest, picture(1)).status_code == 200


def test_a_server_with_a_queue_of_heavy_images_stops_in_time(data_dir: Path) -> None:
    """What has not begun is answered 503 and is not stored; what was acknowledged is."""
    server = LiveServer(data_dir)
    server.start()
    try:
        key = server.create_key()
        with ThreadPoolExecutor(16) as pool:
            users = range(1, 17)
            answers = {n: pool.submit(_send, server, key, _huge(), n) for n in users}
            _wait_until_one_is_answered(answers.values())
            started = time.monotonic()
            assert server.process is not None
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(STOP_SECONDS) == 0
            assert time.monotonic() - started < STOP_SECONDS
            statuses = {n: answer.result().status_code for n, answer in answers.items()}
        assert set(statuses.values()) <= {200, 429, 503}
        assert 503 in statuses.values()
        server.start()
        headers = {"Authorization": f"Bearer {key}"}
        for user, status in statuses.items():
            url = f"{server.url}/uptake/v1/users/{user}/images"
            images = httpx2.get(url, headers=headers).json().get("images", [])
            assert len(images) == (status == 200), user
    finally:
        server.kill()


def _wait_until_one_is_answered(answers: object) -> None:
    done = threading.Event()
    for answer in answers:  # type: ignore[attr-defined]
        answer.add_done_callback(lambda _: done.set())
    assert done.wait(60)

"""A rejection that comes while the body is still on its way reaches its sender."""

import http.client
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import LiveServer

pytestmark = pytest.mark.usefixtures("served_throughout")

SIZE = 24 * 1024 * 1024
"""More than any body may have and more than all buffers on the way hold."""

TIMEOUT = 60.0
Sender = Callable[[str, dict[str, str], Path], int]


def _with_httpx2(url: str, headers: dict[str, str], body: Path) -> int:
    return httpx2.post(url, content=body.read_bytes(), headers=headers, timeout=TIMEOUT).status_code


def _with_http_client(url: str, headers: dict[str, str], body: Path) -> int:
    host, _, path = url.removeprefix("http://").partition("/")
    with closing(http.client.HTTPConnection(host, timeout=TIMEOUT)) as connection:
        connection.request("POST", "/" + path, body.read_bytes(), headers)
        return connection.getresponse().status


def _with_curl(url: str, headers: dict[str, str], body: Path) -> int:
    lines = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "-o",
            "-",
            "-w",
            "\n%{http_code}",
            "--data-binary",
            f"@{body}",
            *lines,
            url,
        ],
        capture_output=True,
        check=True,
        timeout=TIMEOUT,
    )
    return int(done.stdout.rpartition(b"\n")[2])


def _with_curl_at_once(url: str, headers: dict[str, str], body: Path) -> int:
    """Without waiting for the server to ask for the body."""
    return _with_curl(url, {**headers, "Expect": ""}, body)


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of `SIZE` bytes."""
    path = tmp_path_factory.mktemp("early") / "body"
    path.write_bytes(b"x" * SIZE)
    return path


@pytest.fixture(scope="module")
def reading_key(live: LiveServer) -> str:
    """A key that may only read."""
    return live.create_key("data:read")


SENDERS = [_with_httpx2, _with_http_client]
if shutil.which("curl"):
    SENDERS += [_with_curl, _with_curl_at_once]


@pytest.mark.parametrize("send", SENDERS)
def test_every_client_sees_the_answer(
    live: LiveServer, key: str, reading_key: str, body: Path, send: Sender
) -> None:
    """Not a broken connection: 401, 403, 413, and for what does not exist 404 and 405."""
    cases = [
        (401, "/v1/user-data/diary", {}),
        (401, "/a/api/v2/users/1/images", {}),
        (403, "/v1/user/profiles", {"Authorization": f"Bearer {reading_key}"}),
        (403, "/api/v1.1/samples", {"Authorization": f"Bearer {key}"}),
        (413, "/api/v2.2/samples", {"Authorization": f"Bearer {key}"}),
        (413, "/a/api/v2/users/1/images", {"api-key": key}),
        (404, "/v1/user/nothing", {"Authorization": f"Bearer {key}"}),
        (404, "/nothing", {}),
        (405, "/health/live", {}),
    ]
    answered = [(send(live.url + path, headers, body), path, headers) for _, path, headers in cases]
    assert cases == answered

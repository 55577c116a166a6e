"""`uptake serve`: its address, its options, its end."""

import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from .conftest import Uptake

SAMPLES = [
    {
        "device_name": "iPhone",
        "start_date": f"2023-11-01T08:0{i}:00Z",
        "unit": "count",
        "value": 10,
    }
    for i in range(3)
]


@contextmanager
def running(
    folder: Path, *options: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server while the block runs, and the address that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uptake", "serve", *options],
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **variables},
    )
    assert process.stderr is not None
    try:
        result = re.fullmatch(r"Uptake listens on (http://\S+)\n", process.stderr.readline())
        assert result is not None
        wait_until_ready(result[1])
        yield process, result[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_until_ready(url: str) -> None:
    """Ask until the server answers."""
    with httpx2.Client(transport=httpx2.HTTPTransport(retries=8)) as client:
        assert client.get(f"{url}/health/ready").status_code == 200


def free_port() -> int:
    """A port that no one listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_it_prints_its_address_and_exits_with_zero(tmp_path: Path) -> None:
    """`--port 0` takes a free port; SIGTERM is a good end."""
    with running(tmp_path, "--port", "0") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert not url.endswith(":0")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert (tmp_path / "uptake-data" / "uptake.db").is_file()


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.4, 0.8])
def test_it_ends_on_a_signal_before_it_serves(tmp_path: Path, seconds: float) -> None:
    """At no moment of its start is the signal lost."""
    arguments = [sys.executable, "-m", "uptake", "serve", "--port", "0"]
    with subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"Uptake listens on")
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_ctrl_c_is_a_good_end_too(tmp_path: Path) -> None:
    """SIGINT gives 0."""
    with running(tmp_path, "--port", "0") as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    """The address is printed in brackets."""
    with running(tmp_path, "--host", "::1", "--port", "0") as (_, url):
        assert url.startswith("http://[::1]:")


def test_every_option_is_a_variable_too(tmp_path: Path) -> None:
    """All seven settings of a server, by their variables."""
    port = free_port()
    variables = {
        "UPTAKE_DATA_DIR": str(tmp_path / "a"),
        "UPTAKE_HOST": "localhost",
        "UPTAKE_PORT": str(port),
        "UPTAKE_DATABASE": f"sqlite:///{tmp_path}/b.db",
        "UPTAKE_BLOBS": (tmp_path / "c").as_uri(),
        "UPTAKE_WORKERS": "2",
        "UPTAKE_PUBLIC_URL": "https://intake.example.org",
    }
    with running(tmp_path, **variables) as (process, url):
        assert url == f"http://localhost:{port}"
        assert (tmp_path / "b.db").is_file()
        assert (tmp_path / "c").is_dir()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        answer = post_image(url, create_key(f"sqlite:///{tmp_path}/b.db"))
        assert answer["imageURL"].startswith("https://intake.example.org/")


def test_auto_is_a_process_for_each_processor_and_two_at_most_on_sqlite(tmp_path: Path) -> None:
    """SQLite has one writer at a time."""
    processes = []
    for workers in ("auto", str(min(2, len(os.sched_getaffinity(0))))):
        folder = tmp_path / workers
        folder.mkdir()
        with running(folder, "--port", "0", "--workers", workers) as (process, _):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            processes.append(len(children.split()))
    assert processes[0] == processes[1]


def test_an_option_wins_over_its_variable(tmp_path: Path) -> None:
    """`--public-url` over `UPTAKE_PUBLIC_URL`."""
    options = ("--port", "0", "--public-url", "https://option.example.org")
    with running(tmp_path, *options, UPTAKE_PUBLIC_URL="https://variable.example.org") as (_, url):
        answer = post_image(url, create_key(f"sqlite:///{tmp_path}/uptake-data/uptake.db"))
        assert answer["imageURL"].startswith("https://option.example.org/")


def create_key(database: str) -> str:
    """A key that may send images."""
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "uptake",
            "keys",
            "create",
            "--scope",
            "images:write",
            f"--database={database}",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    return made.stdout.strip()


def post_image(url: str, key: str) -> dict[str, Any]:
    """Send a picture of one pixel; what is answered about it."""
    pixel = bytes.fromhex(
        "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
    )
    answer = httpx2.post(
        f"{url}/a/api/v2/users/7/images", params={"apiKey": key}, files={"file": pixel}
    )
    assert answer.status_code == 200
    return dict(answer.json()["response"])


def test_a_key_works_while_the_server_runs(tmp_path: Path, uptake: Uptake) -> None:
    """Made and revoked beside it, without a restart."""
    with running(tmp_path, "--port", "0") as (_, url):
        key = uptake("keys", "create", "--scope", "samples:write", "--json").json
        body = msgspec.json.encode({"user_id": "7", "data_type": "steps", "data": SAMPLES})
        headers = {"Authorization": f"Bearer {key['key']}"}
        answer = httpx2.post(f"{url}/api/v2.2/samples", content=body, headers=headers)
        assert answer.status_code == 200
        assert answer.json() == {"accepted": 3, "rejected": 0, "errors": []}


def test_a_port_in_use_is_reported(uptake: Uptake) -> None:
    """The work failed: 1, with the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        uptake("serve", "--port", port).assert_failed(1, f"127.0.0.1:{port}")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.1"])
@pytest.mark.parametrize("port", [0, 8123])
def test_a_host_that_is_not_here_is_reported(uptake: Uptake, host: str, port: int) -> None:
    """The work failed: 1, with the host."""
    uptake("serve", "--host", host, "--port", port).assert_failed(1, host)


@pytest.mark.parametrize(
    ("variable", "value"), [("UPTAKE_PORT", "http"), ("UPTAKE_WORKERS", "many")]
)
def test_a_variable_with_a_wrong_value_is_wrong_usage(
    uptake: Uptake, variable: str, value: str
) -> None:
    """Exit status 2, with the name of the variable."""
    uptake("serve", **{variable: value}).assert_failed(2, variable)


def _counted(page: str, route: str) -> float:
    """How many requests to a route a page of metrics counts."""
    found = re.findall(rf'uptake_requests_total{{route="{re.escape(route)}".*}} (\S+)', page)
    return sum(map(float, found))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_have_a_port_of_their_own(tmp_path: Path, workers: str) -> None:
    """Those of all processes; the main port has none then."""
    port = str(free_port())
    with running(tmp_path, "--metrics-port", port, "--workers", workers, "--port", "0") as (_, url):
        for _ in range(20):
            assert httpx2.get(f"{url}/metrics").status_code == 404
            httpx2.get(f"{url}/health/live")
        other = f"http://127.0.0.1:{port}"
        pages = [httpx2.get(f"{other}/metrics") for _ in range(5)]
        assert {page.status_code for page in pages} == {200}
        assert all(page.headers["content-type"].startswith("text/plain") for page in pages)
        assert {_counted(page.text, "/health/live") for page in pages} == {20}
        for path in ("/", "/metrics/", "//metrics", "/health/live"):
            assert httpx2.get(other + path).status_code == 404


def test_metrics_may_have_an_address_of_their_own(tmp_path: Path) -> None:
    """By option or variable; the one of the server is free for its own use."""
    port = str(free_port())
    variables = {"UPTAKE_METRICS_HOST": "127.0.0.2", "UPTAKE_METRICS_PORT": port}
    with running(tmp_path, "--port", port, **variables) as (_, url):
        assert httpx2.get(f"{url}/metrics").status_code == 404
        assert httpx2.get(f"http://127.0.0.2:{port}/metrics").status_code == 200


def test_a_scraper_that_hangs_does_not_block_others_for_long(tmp_path: Path) -> None:
    """Not the server at all."""
    port = free_port()
    with (
        running(tmp_path, "--metrics-port", str(port), "--port", "0") as (_, url),
        socket.create_connection(("127.0.0.1", port)),
    ):
        assert httpx2.get(f"{url}/health/ready", timeout=5).status_code == 200
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=60).status_code == 200


def test_a_port_for_metrics_that_is_taken_is_reported(uptake: Uptake) -> None:
    """In a line, before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = uptake("serve", "--port", "0", "--metrics-port", port)
        assert (result.status, result.err.count("\n")) == (1, 1)
        assert f"cannot listen on 127.0.0.1:{port}" in result.err
    port = str(free_port())
    assert uptake("serve", "--port", port, "--metrics-port", port).status == 2


def test_the_first_start_prints_how_to_create_a_key(tmp_path: Path) -> None:
    """The command works as printed; once there is a key, the line is not printed again."""
    with running(tmp_path, "--port", "0") as (process, _):
        assert process.stderr is not None
        line = process.stderr.readline()
    command = line.rpartition(": uptake ")[2]
    assert "--scope samples:write --scope data:read" in command
    created = subprocess.run(
        [sys.executable, "-m", "uptake", *shlex.split(command)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    with running(tmp_path, "--port", "0") as (process, url):
        key = {"Authorization": f"Bearer {created.stdout.strip()}"}
        assert httpx2.get(f"{url}/uptake/v1/users", headers=key).json()["users"] == []
        assert process.stderr is not None
        assert process.stderr.readline().startswith("{")


def test_a_terminal_has_a_banner_and_readable_lines(tmp_path: Path) -> None:
    """What clients send is escaped; elsewhere than on a terminal the lines are JSON."""
    leader, follower = pty.openpty()
    metrics = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "uptake", "serve", "--port", "0", "--metrics-port", str(metrics)],
        cwd=tmp_path,
        stderr=follower,
        env={**os.environ, "UPTAKE_DATABASE": "", "NO_COLOR": "1"},
    )
    os.close(follower)
    try:
        text = _read_until(leader, r"\n  uptake keys create.*\r?\n")
        url = re.search(r"listens on (http://\S+)", text)
        assert url is not None
        assert f"Data folder: {tmp_path / 'uptake-data'}" in text
        assert "Database:    uptake.db in the data folder" in text
        assert f"Metrics:     http://127.0.0.1:{metrics}/metrics" in text
        assert "To stop:     Ctrl-C" in text
        assert re.search(rf"Console:     {url[1]}/console/link/[\w-]{{43}}\r?\n", text)
        assert "There are no API keys yet. Create one in another terminal:" in text
        assert f"{url[1]}/openapi.json" in text
        wait_until_ready(url[1])
        with socket.create_connection(("127.0.0.1", int(url[1].rpartition(":")[2]))) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.recv(1000)
        line = _read_until(leader, r"/health/live.*\n").splitlines()[-1]
        assert re.match(r"\d\d:\d\d:\d\d \[info +\] request ", line)
        assert "status=200" in line
        assert "\x1b" not in line
    finally:
        process.terminate()
        process.wait(30)
        os.close(leader)


def _read_until(terminal: int, pattern: str) -> str:
    text = ""
    deadline = time.monotonic() + 60
    while not re.search(pattern, text):
        assert time.monotonic() < deadline, text
        if select.select([terminal], [], [], 1)[0]:
            text += os.read(terminal, 4096).decode()
    return text


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "dash.example",
        "https://dash.example/",
        "https://Dash.example",
        "https://dash.example:443",
        "http://dash.example:80",
        "ftp://dash.example",
        "https://user@dash.example",
    ],
)
def test_an_invalid_origin_is_an_error_at_the_start(uptake: Uptake, origin: str) -> None:
    """It would match no browser, or every one."""
    uptake("serve", "--cors-origin", origin).assert_failed(2, f"--cors-origin '{origin}': must")


def test_an_invalid_log_level_is_an_error_at_the_start(uptake: Uptake) -> None:
    """With the levels that there are."""
    failed = uptake("serve", UPTAKE_LOG_LEVEL="cats")
    failed.assert_failed(2, "UPTAKE_LOG_LEVEL 'cats'", "DEBUG, INFO, WARNING, ERROR, CRITICAL")

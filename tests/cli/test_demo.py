"""`uptake demo`: what it shows, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from .conftest import Uptake

PATHS = (
    "/v1/user-data/{upload_type}",
    "/v1/user/profiles",
    "/a/api/v2/users/{user-id}/images",
    "/api/v1.1/samples",
    "/api/v2.2/samples",
)


def test_once_shows_all_five_endpoints_and_leaves_nothing(uptake: Uptake, tmp_path: Path) -> None:
    """A line for each with sent = accepted + rejected, none of them 0; no colours in a pipe."""
    done = uptake("demo", "--once", TMPDIR=str(tmp_path))
    assert (done.status, done.err) == (0, "")
    for path in PATHS:
        line = re.search(rf"{re.escape(path)} +([\d,]+) +([\d,]+) +([\d,]+) +[\d.]+ s\n", done.out)
        assert line is not None
        sent, accepted, rejected = (int(number.replace(",", "")) for number in line.groups())
        assert sent == accepted + rejected
        assert accepted > 0
        assert rejected > 0
    assert "All of it is as it was sent, each once." in done.out
    assert "GET /uptake/v1/users/10001" in done.out
    assert done.out.count("█ ") + len(re.findall("[▏▎▍▌▋▊▉] ", done.out)) == 7
    assert "\x1b" not in done.out
    assert "curl" not in done.out
    assert done.out.endswith("\nThe server is stopped and its data is deleted.\n")
    assert list(tmp_path.iterdir()) == []


def test_it_stays_up_until_it_is_stopped(tmp_path: Path) -> None:
    """The commands that it prints work as pasted; Ctrl-C is a good end and removes the folder."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "uptake", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert demo.stdout is not None
    try:
        shown = ""
        while "The server is running" not in shown:
            line = demo.stdout.readline()
            assert line
            shown += line
        commands = shown[shown.index("KEY=") : shown.index("\nData ")]
        answers = subprocess.run(["bash", "-ec", commands], capture_output=True, check=True).stdout
        assert b'{"accepted":2,"rejected":1,' in answers
        assert b'{"user_id":"10001",' in answers
        url = re.search(r"http://127\.0\.0\.1:\d+", shown)
        assert url is not None
        assert httpx2.get(f"{url[0]}/openapi.json").status_code == 200
        link = re.search(rf"^Console +{url[0]}/console/link/(\S+)$", shown, re.MULTILINE)
        assert link is not None
        with httpx2.Client(base_url=url[0]) as client:
            assert client.post("/console/sign-in", data={"link": link[1]}).status_code == 303
            assert ">10001</a>" in client.get("/console/users").text
            events = {"Accept": "text/event-stream"}
            with client.stream("GET", "/console/live/stream", headers=events) as stream:
                assert any('"requests":[{' in line for line in stream.iter_lines())
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
        assert demo.communicate() == ("The server is stopped and its data is deleted.\n", "")
        assert list(tmp_path.iterdir()) == []
    finally:
        demo.kill()
        demo.communicate()


def test_a_termination_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not even when it comes while data is being sent."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "uptake", "demo", "--once"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("*/data/uptake.db")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)
        demo.terminate()
        _, result = demo.communicate(timeout=60)
        assert (demo.returncode, result) == (130, "")
        assert list(tmp_path.iterdir()) == []
    finally:
        demo.kill()
        demo.wait()

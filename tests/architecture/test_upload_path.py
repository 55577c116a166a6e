"""The path of an upload in ARCHITECTURE.md is the one that a request takes."""

import asyncio
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from warnings import catch_warnings

import msgspec
import pytest
from litestar.exceptions import LitestarDeprecationWarning

from uptake import wiring
from uptake.http import access
from uptake.http.app import build
from uptake.model import clock, ids
from uptake.settings import Settings
from uptake.store.definitions import DEFAULT_PROJECT, Key

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "uptake"
SECTION = (
    (ROOT / "ARCHITECTURE.md")
    .read_text("utf-8")
    .partition("## The path of an upload")[2]
    .partition("\n## ")[0]
)
MOST_STEPS = 14
MOST_MODULES = 24
SECRET = "up_key"
PATH = "/api/v2.2/samples"
BODY = {
    "user_id": "anna",
    "data_type": "steps",
    "data": [
        {
            "device_name": "watch",
            "start_date": f"2025-01-01T00:0{minute}:00Z",
            "unit": "count",
            "value": 7,
        }
        for minute in range(3)
    ],
}


def _steps() -> list[str]:
    """The files of the numbered steps, on SQLite."""
    lines = re.findall(r"^\d+\. `([\w/]+\.py)`", SECTION, re.MULTILINE)
    return [str(line) for line in lines]


def _shared() -> list[str]:
    """The files and folders of the table of what several steps use."""
    return re.findall(r"^\| `([\w/]+(?:\.py|/))` \|", SECTION, re.MULTILINE)


@contextmanager
def _traced() -> Iterator[set[str]]:
    """Collect the modules of the package of which a function is called in any thread.

    Threads that began before are not traced.
    """
    modules: set[str] = set()

    def call(frame: FrameType, event: str, _argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(SOURCE):
            modules.add(path.relative_to(SOURCE).as_posix())

    before = sys.getprofile()
    threading.setprofile(call)
    sys.setprofile(call)
    try:
        yield modules
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


async def _upload(app: Any) -> int:
    """Send one upload to the application; the status of the response."""
    body = msgspec.json.encode(BODY)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = {
        "host": "localhost",
        "authorization": f"Bearer {SECRET}",
        "content-length": str(len(body)),
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that an upload of samples crosses, with an API key that is in the cache."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    with (
        pytest.MonkeyPatch.context() as patch,
        _traced() as modules,
        closing(wiring.open_services(settings, make=True)) as services,
    ):
        # On a busy machine there may be more than a second between the requests.
        patch.setattr(access, "TRUST_SECONDS", 60.0)
        key = Key("k", ids.key_digest(SECRET), DEFAULT_PROJECT, ("samples:write",), clock.now())
        services.store.add_key(key)
        with catch_warnings(action="ignore", category=LitestarDeprecationWarning):
            app = build(services, lambda _line: None)

        async def upload_twice() -> set[str]:
            assert await _upload(app) == 200
            modules.clear()
            assert await _upload(app) == 200
            return set(modules)

        return asyncio.run(upload_twice())


def test_every_module_that_an_upload_crosses_is_listed(crossed: set[str]) -> None:
    """As a step, or as a module that several steps share."""
    folders = tuple(name for name in _shared() if name.endswith("/"))
    listed = {*_steps(), *_shared()}
    assert {name for name in crossed if not name.startswith(folders)} - listed == set()


def test_every_step_and_every_shared_module_is_crossed(crossed: set[str]) -> None:
    """So the page lists nothing that an upload does not use."""
    assert set(_steps()) - crossed == set()
    unused = [name for name in _shared() if not any(one.startswith(name) for one in crossed)]
    assert unused == []


def test_the_path_is_short(crossed: set[str]) -> None:
    """Whoever adds a step joins two others, or has a reason to change these numbers."""
    assert len(_steps()) <= MOST_STEPS
    assert len(crossed) <= MOST_MODULES

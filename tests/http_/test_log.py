"""The log line of a request states who sent it, without saying anything of a user."""

import time
from typing import Any
from uuid import uuid4

import httpx2
import msgspec

from uptake.testing.live import LiveServer


def line_of(live: LiveServer, answer: httpx2.Response) -> Any:
    """The log line of a request that was answered."""
    name = f'"request_id":"{answer.headers["x-request-id"]}"'
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for line in live.log.splitlines():
            if name in line:
                return msgspec.json.decode(line)
        time.sleep(0.05)
    raise AssertionError(f"no line of {answer}")


def read(live: LiveServer, key: str) -> httpx2.Response:
    """An answer of the read API, which needs the scope `data:read`."""
    path = f"{live.url}/uptake/v1/users/{uuid4()}"
    return httpx2.get(path, headers={"Authorization": f"Bearer {key}"})


def test_a_line_names_the_key_and_the_peer(live: LiveServer) -> None:
    """The id of a key that is valid, lacks a scope or was revoked; none where there is no key."""
    made = {
        404: live.command("keys", "create", "--scope", "data:read"),
        403: live.command("keys", "create", "--scope", "samples:write"),
        401: live.command("keys", "create", "--scope", "data:read"),
    }
    live.command("keys", "revoke", made[401]["id"])
    for status, key in made.items():
        answer = read(live, key["key"])
        line = line_of(live, answer)
        assert (answer.status_code, line["status"]) == (status, status)
        assert (line["key"], line["peer"]) == (key["id"], "127.0.0.1")
    for url in (f"{live.url}/health/live", f"{live.url}/nowhere"):
        assert line_of(live, httpx2.get(url))["key"] is None
    assert line_of(live, read(live, "up_unknown"))["key"] is None


def test_an_upload_names_the_key_too(live: LiveServer) -> None:
    """Wherever its vendor puts it."""
    key = live.command("keys", "create", "--scope", "images:write")
    url = f"{live.url}/a/api/v2/users/5/images"
    places: list[dict[str, Any]] = [
        {"params": {"apiKey": key["key"]}},
        {"headers": {"api-key": key["key"]}},
    ]
    for options in places:
        line = line_of(live, httpx2.post(url, **options))
        assert (line["status"], line["key"]) == (400, key["id"])
        assert key["key"] not in live.log
